"""Run the loop: take in, batch, learn, publish, save.

The command line calls it. Begin at `pipeline.py`, which has the stages in order. `wiring.py` puts their parts together.
"""
