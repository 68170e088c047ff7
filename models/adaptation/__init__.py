"""Detect drift, try actions beside the model in use, and judge them.

The arm comparison calls it.
"""
