"""Speak to a Kafka cluster: TLS, codecs, and errors in words.

Called by everything that connects to Kafka.
"""
