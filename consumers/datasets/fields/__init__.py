"""Turn the cells of one row into fields.

Called by datasets; touches nothing outside.
"""
