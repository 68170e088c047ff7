"""Learn from what users were shown, and make lists with it: appeal of items, fatigue of users, exploration.

The learner and its lister call it. Begin at `shown_learning.py`. It reads the ranker and changes nothing of it.
"""
