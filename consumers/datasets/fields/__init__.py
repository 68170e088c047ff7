"""Turn the cells of one row into fields.

Datasets call it. It touches nothing outside.
"""
