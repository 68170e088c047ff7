"""Decide what a record is: an event, an item, a request to forget, or a rejection with its reason.

Everything that has bytes calls it. It touches nothing. Begin at `decode.py`; `rejection.py` lists the reasons.
"""
