"""Test against Apache Kafka: security, access rights, many brokers."""
