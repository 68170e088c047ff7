"""Test encoders behind HTTP: a real server of embeddings, and servers with faults."""
