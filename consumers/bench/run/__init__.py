"""Start contestants, make rows of their figures, and show the rows."""
