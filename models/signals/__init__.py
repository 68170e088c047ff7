"""Describe candidates by numbers, one file a signal, and keep the item statistics behind them.

Called by the ranker.
"""
