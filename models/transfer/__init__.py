"""Carry knowledge of sources into targets: equations, strategies, trials.

The network calls it.
"""
