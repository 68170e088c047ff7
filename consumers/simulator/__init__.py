"""Simulate worlds with a known truth, and their events.

The command line, demo and evaluation call it.
"""
