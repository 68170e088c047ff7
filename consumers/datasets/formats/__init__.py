"""Turn the bytes of a file into rows.

Called by datasets; touches files only.
"""
