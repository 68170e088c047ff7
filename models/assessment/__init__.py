"""Judge predictions and compare learners with stated confidence.

May be called by everything in models.
"""
