"""Learn historic files into a first checkpoint.

Called by the command line; touches files only.
"""
