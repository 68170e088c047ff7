"""Run the loop: poll, decode, learn, publish, checkpoint, commit.

The command line calls it.
"""
