"""Know what must be published next and build its records.

The service calls it. Begin at `publication_queue.py`. `record_builder.py` makes the records.
"""
