"""Copy, write, merge and read the state of all learners, which is what a checkpoint holds.

Everything in models may call it. It touches the checkpoint folder.
"""
