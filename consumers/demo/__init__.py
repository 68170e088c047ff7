"""Show the whole service on one machine.

Called by the command line and, for its servers, by tests; starts processes.
"""
