"""Learn historical files into a first checkpoint.

The command line calls it. It touches files only.
"""
