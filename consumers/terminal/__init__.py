"""Write to terminal and log, also if they are files, pipes or closed.

Everything in consumers may call it.
"""
