"""Measure the learner in simulated worlds whose truth is known.

The command line calls it. It touches files only.
"""
