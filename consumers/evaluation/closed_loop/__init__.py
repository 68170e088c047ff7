"""Measure policies in closed loops: each learns only from what it has shown itself. Begin at `command.py`."""
