"""Train and use the two-tower network, and try strategies beside it.

Called by the learner; runs PyTorch.
"""
