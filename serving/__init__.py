"""Publish results: to Redis for services, to Prometheus for operators.

This package imports models. It knows no Kafka and no command line.
"""
