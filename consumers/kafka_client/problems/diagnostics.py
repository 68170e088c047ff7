"""Say why Kafka cannot be reached, in one line without secrets that says what to do."""

from __future__ import annotations

import logging
import time

from kafka.errors import (
    KafkaTimeoutError,
    RequestTimedOutError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)

from consumers.config.schema import KafkaConfig
from consumers.kafka_client.tls import TlsFileError

OWN_CERTIFICATE = (
    "It wants a client's certificate that it trusts: set kafka.ssl_certfile and kafka.ssl_keyfile to one that its "
    "authority has signed."
)
CERTIFICATE = {
    "certificate has expired": "Its certificate has expired: have a new one made for the broker.",
    "ismatch, certificate is not valid for": "Its certificate is for another name: set kafka.bootstrap_servers (and "
    "the broker its advertised.listeners) to the name in it.",
    "CERTIFICATE_VERIFY_FAILED": "Its certificate is not trusted: set kafka.ssl_cafile to the authority that signed "
    "it.",
    "certificate required": OWN_CERTIFICATE,
    "ALERT_CERTIFICATE": OWN_CERTIFICATE,
    "ALERT_BAD_CERTIFICATE": OWN_CERTIFICATE,
    "ALERT_UNKNOWN_CA": OWN_CERTIFICATE,
}
"""Texts of a failed handshake, and what to do about each. The first that fits counts."""


def _refusal(error: BaseException | None) -> str | None:
    """Return what to do about a definite refusal, or None if the error is no such refusal."""
    if isinstance(error, SaslAuthenticationFailedError):
        return (
            "It refuses {who}: see kafka.sasl_username and kafka.sasl_password or sasl_password_file, with OAUTHBEARER "
            "sasl_oauth_token_file."
        )
    if isinstance(error, UnsupportedSaslMechanismError):
        return "Set kafka.sasl_mechanism to one that it has enabled: {mechanism} is not."
    if isinstance(error, TlsFileError):
        return "Give PEM files that this user can read, with a key that is not encrypted and fits its certificate."
    return next((cure for said, cure in CERTIFICATE.items() if said in str(error)), None)


def _informativeness(error: BaseException | None) -> int:
    """Rank how much an error tells, from 0 to 3.

    The last try says least: the end of the time cuts it off, or it sees only that a connection ended.
    """
    if error is None:
        return 0
    if _refusal(error):
        return 3
    return 1 if isinstance(error, KafkaTimeoutError | RequestTimedOutError) else 2


class _MostInformativeError(logging.Handler):
    """Keep the most informative error of failed connections, among equals the last, and when a refusal was heard."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.error: BaseException | None = None
        self.refusal: tuple[BaseException, float] | None = None
        """The last definite refusal, and when it came, seconds (monotonic)."""

    def emit(self, record: logging.LogRecord) -> None:
        for arg in record.args if isinstance(record.args, tuple) else ():
            if isinstance(arg, BaseException):
                if _informativeness(arg) >= _informativeness(self.error):
                    self.error = arg
                if _refusal(arg):
                    self.refusal = arg, time.monotonic()


# kafka-python tries again until its time is over, or for ever. Only its log says why.
_heard = _MostInformativeError()
for _name in ("kafka.net.manager", "kafka.net.connection"):
    _logger = logging.getLogger(_name)
    _logger.addHandler(_heard)
    _logger.setLevel(logging.WARNING)
    _logger.propagate = False


def latest_refusal(config: KafkaConfig, seconds: float) -> str | None:
    """Return why a broker has refused a connection within the last `seconds`; None if none has."""
    heard = _heard.refusal
    if heard is None or time.monotonic() - heard[1] > seconds:
        return None
    return why_unreachable(config, heard[0])


def why_unreachable(config: KafkaConfig, error: BaseException) -> str:
    """Say in one line why a broker does not answer, or does not let us in."""
    cause: BaseException = error
    if _heard.error is not None and "bootstrap" in str(error):
        cause, _heard.error = _heard.error, None
    servers, name = ",".join(config.bootstrap_servers), type(cause).__name__
    what = str(cause).removeprefix(f"{name}: ")[:160]
    return f"Kafka at {servers} cannot be reached ({name}: {what}). {_advice(config, cause)}"


def _advice(config: KafkaConfig, cause: BaseException) -> str:
    if refusal := _refusal(cause):
        user = f"the user {config.sasl_username} or the password" if config.sasl_username else "the token"
        return refusal.format(who=user, mechanism=config.sasl_mechanism)
    if "disconnected" in str(cause):
        # A missing certificate and another protocol both look like this.
        certificate = ", and a client's certificate if it wants one (kafka.ssl_certfile, kafka.ssl_keyfile)"
        more = certificate if config.security_protocol.endswith("SSL") else ""
        return (
            f"It ends the connection: check that it speaks {config.security_protocol} there "
            f"(kafka.security_protocol){more}."
        )
    if "Handshake failed" in str(cause):
        return f"See that it speaks {config.security_protocol} there (kafka.security_protocol)."
    return (
        "Start it, or set kafka.bootstrap_servers (CROSSCURRENT_KAFKA__BOOTSTRAP_SERVERS), or see that it speaks "
        f"{config.security_protocol} there (kafka.security_protocol)."
    )
