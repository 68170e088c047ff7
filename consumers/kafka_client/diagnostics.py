"""Say in one line, without secrets, why Kafka cannot be reached and what to do."""

from __future__ import annotations

import logging

from kafka.errors import (
    KafkaTimeoutError,
    RequestTimedOutError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)

from consumers.config.schema import KafkaConfig
from consumers.kafka_client.tls import TlsFileError


def _refusal(error: BaseException | None) -> str | None:
    """Return what to do about a refusal; None if the error is no refusal."""
    if isinstance(error, SaslAuthenticationFailedError):
        return "It refuses the user or the password: kafka.sasl_username, kafka.sasl_password or sasl_password_file."
    if isinstance(error, UnsupportedSaslMechanismError):
        return "Set kafka.sasl_mechanism to one that it has enabled: {config.sasl_mechanism} is not."
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "Its certificate is not trusted: set kafka.ssl_cafile to the authority that signed it."
    if isinstance(error, TlsFileError):
        return "Give PEM files that this user can read, with a key that is not encrypted and fits its certificate."
    return None


def _informativeness(error: BaseException | None) -> int:
    """Rate how much an error tells, from 0 to 3.

    The last try tells least: the time limit cuts it off, or it sees only that a connection ended.
    """
    if error is None:
        return 0
    if _refusal(error):
        return 3
    return 1 if isinstance(error, KafkaTimeoutError | RequestTimedOutError) else 2


class _MostInformativeError(logging.Handler):
    """Keep the most informative error of failed connections; among equals the last."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.error: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        for arg in record.args if isinstance(record.args, tuple) else ():
            if isinstance(arg, BaseException) and _informativeness(arg) >= _informativeness(self.error):
                self.error = arg


# kafka-python tries again until its time is over. Its exception says only that; its log says why.
_heard = _MostInformativeError()
_manager = logging.getLogger("kafka.net.manager")
_manager.addHandler(_heard)
_manager.setLevel(logging.WARNING)
_manager.propagate = False


def why_unreachable(config: KafkaConfig, error: Exception) -> str:
    """Say in one line why a broker does not answer, or refuses us."""
    cause: BaseException = error
    if _heard.error is not None and "bootstrap" in str(error):
        cause, _heard.error = _heard.error, None
    servers, name = ",".join(config.bootstrap_servers), type(cause).__name__
    what = str(cause).removeprefix(f"{name}: ")[:160]
    return f"Kafka at {servers} cannot be reached ({name}: {what}). {_advice(config, cause)}"


def _advice(config: KafkaConfig, cause: BaseException) -> str:
    if refusal := _refusal(cause):
        return refusal.format(config=config)
    if "disconnected" in str(cause):
        # A missing certificate and a wrong protocol both look like this.
        certificate = ", and a client's certificate if it wants one (kafka.ssl_certfile, kafka.ssl_keyfile)"
        more = certificate if config.security_protocol.endswith("SSL") else ""
        return (
            f"It ends the connection: see that it speaks {config.security_protocol} there "
            f"(kafka.security_protocol){more}."
        )
    if "Handshake failed" in str(cause):
        return f"See that it speaks {config.security_protocol} there (kafka.security_protocol)."
    return (
        "Start it, or set kafka.bootstrap_servers (CROSSCURRENT_KAFKA__BOOTSTRAP_SERVERS), or see that it speaks "
        f"{config.security_protocol} there (kafka.security_protocol)."
    )
