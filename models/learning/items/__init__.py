"""Take in what is known of items, and find their neighbours.

The learner calls it.
"""
