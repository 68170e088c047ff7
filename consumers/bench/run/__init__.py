"""The command: start contestants, make rows of their figures, show them."""
