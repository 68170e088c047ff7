"""Connect the parts for each command.

Only this package may know all of them. Nothing imports it.
"""
