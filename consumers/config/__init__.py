"""Read and check the config.

Everything in consumers may call it. It touches files and the environment only.
"""
