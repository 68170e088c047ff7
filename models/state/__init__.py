"""Copy, write, merge and read states.

May be called by everything in models; touches the checkpoint folder.
"""
