"""Connect to a Kafka cluster: TLS, codecs, and errors in words.

Everything that connects to Kafka calls it.
"""
