"""Judge predictions and compare learners with stated confidence.

Everything in models may call it.
"""
