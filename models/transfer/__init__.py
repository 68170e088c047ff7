"""Carry what sources know into targets: equations, strategies, trials.

Called by the network.
"""
