"""Carry knowledge of sources into targets: equations, strategies, trials.

The network calls it. Begin at `strategies.py`, which lists what each adaptation strategy does.
"""
