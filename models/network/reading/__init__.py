"""Answer with vectors from a network's weights, without training them.

The learner of the network and the copy that follows published weights build on it.
"""
