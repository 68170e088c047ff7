"""Fit a checkpoint to another config: domains, roles, sizes.

Called when a state is loaded.
"""
