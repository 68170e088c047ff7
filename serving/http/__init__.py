"""Serve metrics and health over HTTP.

Called by the service.
"""
