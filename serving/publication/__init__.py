"""Know what must be published next and build its records.

Called by the service.
"""
