"""Run the loop: poll, decode, learn, publish, checkpoint, commit.

The command line calls it. Begin at `pipeline.py`, which has the stages in order. `wiring.py` puts their parts together.
"""
