"""Fit a checkpoint to another config: domains, roles, sizes.

It is called when a state is loaded.
"""
