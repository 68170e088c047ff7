"""Give ids rows and keep what belongs to a row.

Called by the learner and its parts.
"""
