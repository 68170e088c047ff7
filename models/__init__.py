"""Learn from events, and rank items.

This package knows no Kafka, Redis, Prometheus or clock, and no files but checkpoints.
Start at `arms/arm_comparison.py`.
"""
