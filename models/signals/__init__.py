"""Rate candidates by numbers, one file a signal, and learn the item statistics that they need.

Called by the ranker.
"""
