"""Commands that rewrite the checkpoints of a stopped service: for other shards, for another text encoder."""
