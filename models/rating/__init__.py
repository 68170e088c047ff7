"""Predict ratings as parts that add up.

Called by the learner; biases are a River model.
"""
