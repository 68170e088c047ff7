"""Show the whole service on one machine.

The command line calls it, and tests use its servers. It starts processes.
"""
