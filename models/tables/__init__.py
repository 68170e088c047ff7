"""Give users and items rows, and keep per row what is not learned: ids, history, items seen, text vectors.

Called by the learner and its parts.
"""
