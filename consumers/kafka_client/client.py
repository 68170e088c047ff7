"""Make the options that every Kafka client takes."""

from __future__ import annotations

from typing import Any

from consumers.config.schema import KafkaConfig
from consumers.kafka_client.tls import TlsContext


def client_options(kafka: KafkaConfig) -> dict[str, Any]:
    """Return the keyword arguments of every Kafka client: addresses, security, time limits at the start."""
    options: dict[str, Any] = {
        "bootstrap_servers": kafka.bootstrap_servers,
        "security_protocol": kafka.security_protocol,
        "bootstrap_timeout_ms": 6000,  # a broker that is away is reported within 10 s
    }
    if kafka.sasl_mechanism:
        options |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": kafka.sasl_username,
            "sasl_plain_password": kafka.sasl_password,
        }
    if kafka.security_protocol.endswith("SSL"):
        options["ssl_context"] = TlsContext(kafka.ssl_cafile, kafka.ssl_certfile, kafka.ssl_keyfile)
    return options
