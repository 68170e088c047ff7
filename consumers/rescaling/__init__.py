"""Rewrite the checkpoints of all shards for another number of shards.

The command `rescale` calls it. It touches the checkpoint directory, and no log and no store.
"""
