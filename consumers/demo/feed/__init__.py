"""Feed the demo: choose what it streams, and send it from another process.

The demo calls it. It writes to the demo's own broker.
"""
