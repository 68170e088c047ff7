"""Carry knowledge of source domains into target domains: equations, strategies, and which to try next.

The network calls it. Begin at `strategies.py`, which lists what each adaptation strategy does.
"""
