"""Measure the learner on recorded events, beside simpler learners.

The command line calls it. It touches files only.
"""
