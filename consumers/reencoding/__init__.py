"""Take a state over to another text encoder.

The command `change-encoder` calls it. It reads topics of items, asks the encoder, and writes checkpoints.
"""
