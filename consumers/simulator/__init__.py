"""Make up worlds with a known truth and their events.

Called by the command line, demo and evaluation.
"""
