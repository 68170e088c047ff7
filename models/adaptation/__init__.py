"""Detect drift, answer it by changed copies of a part, and judge them by their errors.

The arm comparison calls it.
"""
