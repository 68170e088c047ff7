"""Let results out: Redis for services, Prometheus for operators.

Imports models; knows no Kafka and no command line.
"""
