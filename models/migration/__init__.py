"""Fit checkpoints to another config, or to another number of shards.

It is called when a state is loaded or rewritten. It touches states only.
"""
