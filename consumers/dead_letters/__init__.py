"""Keep records that cannot be used, list them and send them back.

The service and the command line call it. It touches one Kafka topic.
"""
