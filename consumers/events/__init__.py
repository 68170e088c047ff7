"""Decide what a record is: an event, an item, a request, or a rejection with its reason.

Called by everything that has bytes; touches nothing.
"""
