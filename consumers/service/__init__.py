"""Run the loop: poll, decode, learn, publish, checkpoint, commit.

Called by the command line.
"""
