"""Share what several shards of the service learn: which shard owns what, and how they tell each other.

The service and the commands call it. It touches `layout.json`.
"""
