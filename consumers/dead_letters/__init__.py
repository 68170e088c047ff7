"""Keep records that cannot be used, list them and send them back.

Called by the service and the command line; touches one Kafka topic.
"""
