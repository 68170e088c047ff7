"""Write to the terminal and the log, whatever they are connected to.

May be called by everything in consumers.
"""
