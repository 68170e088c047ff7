"""Turn the bytes of a file into rows.

Datasets call it. It touches files only.
"""
