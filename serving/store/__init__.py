"""Write to Redis, and notice when it lost something.

Called by the service and commands.
"""
