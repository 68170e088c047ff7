"""Read and check the config.

May be called by everything in consumers; touches files and the environment only.
"""
