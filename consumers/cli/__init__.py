"""Connect the parts for each command.

The only place that may know all of them; nothing imports it.
"""
