"""Know what must be published next and build its records. `store` writes them.

The service calls it. Begin at `publication_queue.py`. `record_builder.py` makes the records.
"""
