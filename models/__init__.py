"""Learn and rank.

Knows no Kafka, no Redis, no Prometheus, no clock, and no files but checkpoints.
"""
