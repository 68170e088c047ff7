"""Send historic files into Kafka.

Called by the command line, demo and simulator.
"""
