"""Write to the store, scan it, and notice when it lost something.

Called by the service and commands.
"""
