"""One learner: score an event, then learn it. Begin at `learner.py`; `arms` and `adaptation` stand on it."""
