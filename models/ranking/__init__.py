"""Choose candidates, weigh their signals, explain the list.

Called by the learner.
"""
