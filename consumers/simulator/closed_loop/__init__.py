"""Simulate users who choose only among what they are shown.

Begin at `world.py`. `crosscurrent simulate --closed-loop` and `evaluate --scenario closed-loop` call it.
"""
