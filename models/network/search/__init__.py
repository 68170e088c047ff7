"""Try other strategies in a shadow network, and choose by evidence.

The network's learner calls it. Begin at `strategy_search.py`.
"""
