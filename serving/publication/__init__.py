"""Know what must be published next and build its records.

The service calls it.
"""
