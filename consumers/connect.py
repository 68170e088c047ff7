"""Reaching the broker and the store before anything heavy is loaded: one clear line where they are away."""

from __future__ import annotations

import redis

from consumers.config import Settings
from consumers.errors import Stop
from consumers.kafka_source import KafkaSource
from serving.publisher import STORE_ERRORS, connect, redacted


def connect_store(settings: Settings) -> redis.Redis:
    """A client whose server has just answered. Raises Stop."""
    try:
        client = connect(settings.redis.url, **settings.redis.client())
        client.ping()
    except ValueError:
        raise Stop(
            f"redis.url {redacted(settings.redis.url)}: not a URL such as redis://localhost:6379/0 "
            "(rediss:// for TLS, unix:// for a socket)"
        ) from None
    except STORE_ERRORS as error:
        # Not the error's own text, nor the error itself: both may hold the URL with its password.
        raise Stop(
            f"Redis at {redacted(settings.redis.url)} cannot be reached ({_kind(error)}). Start it, or "
            "set redis.url (CROSSCURRENT_REDIS__URL)."
        ) from None
    return client


def _kind(error: Exception) -> str:
    """The error's name, and what to look at where a start would not help."""
    if isinstance(error, redis.AuthenticationError) or str(error).startswith("WRONGPASS"):
        return "AuthenticationError: user or password is wrong"
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return f"{type(error).__name__}: its certificate is not trusted, see redis.ssl_cafile"
    return type(error).__name__


def connect_source(settings: Settings, accept_gap: bool = False) -> KafkaSource:
    """The log with all topics there. Raises Stop."""
    canary = settings.kafka.canary_topic
    return KafkaSource(settings.kafka, settings.topics(), accept_gap=accept_gap, canary_topic=canary)
