"""Hand out records in time order, from Kafka.

The service calls it. It touches Kafka's consumer.
"""
