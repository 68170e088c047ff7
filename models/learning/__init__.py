"""Score an event, then learn it, with all parts of one learner.

`arms` and `adaptation` call it. Begin at `learner.py`.
"""
