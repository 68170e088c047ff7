"""Forget users who ask for it.

The service and the command line call it. It touches the state, the store and one Kafka topic.
"""
