"""Measure the learner on recorded events beside simpler ones.

Called by the command line; touches files only.
"""
