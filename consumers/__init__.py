"""Events in, and the loop that drives everything."""
