"""Define worlds with a subject: their domains, their words, and how fast interest in an item fades.

The demo and `simulate` choose one by name. It touches nothing.
"""
