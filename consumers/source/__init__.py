"""Hand out the records of the log in time order, from Kafka or from a list. The log is the source of all events.

Called by the service; touches Kafka's consumer.
"""
