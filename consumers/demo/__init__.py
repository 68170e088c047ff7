"""Show the whole service on one machine, with a broker and a store that it starts.

The command line calls it, and tests use its servers. It starts processes.
"""
