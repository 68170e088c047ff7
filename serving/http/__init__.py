"""Serve metrics and health over HTTP.

The service calls it.
"""
