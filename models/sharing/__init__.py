"""Facts of learned events, as several copies of the shared tables exchange them: columns, bytes, and which are new.

Learners and arms may call it. It touches no table.
"""
