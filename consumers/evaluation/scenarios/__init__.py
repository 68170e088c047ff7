"""Measure the learner in simulated worlds whose truth is known.

Called by the command line; touches files only.
"""
