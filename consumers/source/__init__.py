"""Hand out records in time order, from Kafka or from a list.

Called by the service; touches Kafka's consumer.
"""
