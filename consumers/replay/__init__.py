"""Send historical files to Kafka.

The command line, demo and simulator call it.
"""
