"""Hold facts of learned events, as copies of the shared tables exchange them: columns, bytes, and which are new.

Learners, arms and the service's sharing call it. Begin at `shared_facts.py`. It touches no table.
"""
