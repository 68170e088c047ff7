"""Train and use the two-tower network. `search` trains shadow networks with other strategies beside it.

Called by the learner; runs PyTorch.
"""
