"""Learn from the facts of other learners, and exchange networks with them.

Arms and the service's sharing call it.
"""
