"""Run servers of embeddings: a real one with a multilingual model, and one with faults."""
