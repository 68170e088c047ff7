"""Publish results: to Redis for services that read, to Prometheus for operators. It answers no questions itself.

This package imports models. It knows no Kafka and no command line.
"""
