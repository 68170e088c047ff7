"""Commands on checkpoints: rewrite them for other shards or another text encoder; say what they know of experiments."""
