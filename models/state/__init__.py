"""Copy, write, merge and read states.

Everything in models may call it. It touches the checkpoint folder.
"""
