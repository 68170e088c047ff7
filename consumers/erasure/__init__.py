"""Forget users who ask for it.

Called by the service and the command line; touches the state, the store and one Kafka topic.
"""
