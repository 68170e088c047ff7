"""Turn item text into vectors and find near ones.

The learner calls it. It may load an encoder.
"""
