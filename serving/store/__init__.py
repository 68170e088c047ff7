"""Write to the store, scan it, and notice when it lost something.

The service and commands call it.
"""
