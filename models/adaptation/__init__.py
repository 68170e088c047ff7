"""Notice drift, try answers beside the model in use, and judge them.

Called by the arm comparison.
"""
