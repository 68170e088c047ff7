"""Turn item text into vectors and find near ones.

Called by the learner; may load an encoder.
"""
