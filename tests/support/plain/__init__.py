"""Hold the plain twin of each compiled kernel: the same result in a few lines of Python."""
