"""Take events in and drive everything: commands, Kafka, the loop, files.

Imports serving and models; nothing imports it.
"""
