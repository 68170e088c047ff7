"""Options that every Kafka client takes."""

from __future__ import annotations

from typing import Any

from kafka.net.sasl.oauth import AbstractTokenProvider

from consumers.config.schema import KafkaConfig
from consumers.config.secret_file import read_secret
from consumers.kafka_client.net_client import NetClient
from consumers.kafka_client.problems import last_words  # noqa: F401  it changes how kafka-python reads
from consumers.kafka_client.tls import TlsContext


class TokenFile(AbstractTokenProvider):  # type: ignore[misc]  # kafka-python has no types
    """The token of OAUTHBEARER, from a file that another program renews."""

    def __init__(self, path: str) -> None:
        self._path = path

    def token(self) -> str:
        """Return the token. Raises OSError or ValueError."""
        return read_secret(self._path)


def client_options(kafka: KafkaConfig) -> dict[str, Any]:
    """Return the keyword arguments that every Kafka client takes: addresses, security, patience at the start.

    A password's file is read again, because the password may have changed. Raises OSError or ValueError if that fails.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": kafka.bootstrap_servers,
        "client_id": kafka.group_id,  # the service's name in quotas and in a broker's log
        "security_protocol": kafka.security_protocol,
        "bootstrap_timeout_ms": 5000,  # a broker that is away is reported within 10 s
        "kafka_client": NetClient,
    }
    if kafka.sasl_mechanism:
        options["sasl_mechanism"] = kafka.sasl_mechanism
        if kafka.sasl_oauth_token_file:
            options["sasl_oauth_token_provider"] = TokenFile(kafka.sasl_oauth_token_file)
        else:
            file = kafka.sasl_password_file
            options["sasl_plain_username"] = kafka.sasl_username
            options["sasl_plain_password"] = read_secret(file) if file else kafka.sasl_password
    if kafka.security_protocol.endswith("SSL"):
        options["ssl_context"] = TlsContext(kafka.ssl_cafile, kafka.ssl_certfile, kafka.ssl_keyfile)
    return options
