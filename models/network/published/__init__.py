"""Publish a network's weights, and follow those that another process publishes.

Called by learners that exchange weights; it touches the network's weights and item rows only.
"""
