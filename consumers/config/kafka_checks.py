"""Check the keys of `[kafka]` together: the form of addresses, and security settings without an effect."""

from __future__ import annotations

import re
from collections.abc import Iterator

from consumers.config.schema import KafkaConfig

ADDRESS = re.compile(r"(?:\[[0-9A-Fa-f:.]+(?:%\w+)?\]|[^\s:/@\[\]]+):(?P<port>\d+)")
SASL = ("sasl_mechanism", "sasl_username", "sasl_password")
OAUTH = ("sasl_oauth_token_file",)
TLS = ("ssl_cafile", "ssl_certfile", "ssl_keyfile")


def split_addresses(kafka: KafkaConfig) -> None:
    """Make one list entry of each address, without blanks; `["a:9092,b:9092"]` becomes two entries."""
    entries = (entry.strip() for text in kafka.bootstrap_servers for entry in text.split(","))
    kafka.bootstrap_servers = [entry for entry in entries if entry]


def problems(kafka: KafkaConfig) -> Iterator[str]:
    """Yield a line for each problem, which begins with its key."""
    yield from _addresses(kafka.bootstrap_servers)
    if kafka.security_protocol.startswith("SASL"):
        for key in OAUTH if kafka.sasl_mechanism == "OAUTHBEARER" else SASL:
            if not getattr(kafka, key):
                yield f"kafka.{key}: needed with this security_protocol"
    if kafka.ssl_keyfile and not kafka.ssl_certfile:
        yield "kafka.ssl_certfile: needed with kafka.ssl_keyfile"


def _addresses(servers: list[str]) -> Iterator[str]:
    if not servers:
        yield "kafka.bootstrap_servers: name at least one"
    for number, server in enumerate(servers, 1):
        shown = server.rpartition("@")[2]  # what stands before it may be a password
        good = ADDRESS.fullmatch(server)
        if good is None:
            without_port = ADDRESS.fullmatch(f"{server}:9092") is not None
            fix = (
                f"it has no port: write {shown}:9092"
                if without_port
                else "write host:port, as in kafka-1:9092"
            )
            yield f"kafka.bootstrap_servers: entry {number}, {shown!r}: {fix}"
        elif not 1 <= int(good["port"]) <= 65_535:
            yield f"kafka.bootstrap_servers: entry {number}, {shown!r}: a port is from 1 to 65535"


def unused_credentials(kafka: KafkaConfig) -> str:
    """Return which keys are not used because `security_protocol` is missing; "" if there are none.

    A user who sets a password or an authority does not want the plain connection that they would get.
    """
    sasl, tls = _given(kafka, SASL + OAUTH), _given(kafka, TLS)
    if not sasl and not tls:
        return ""
    if not sasl:
        wanted = '"SSL"'
    elif not tls:
        wanted = '"SASL_SSL" (or "SASL_PLAINTEXT": anybody on the network can then read the password)'
    else:
        wanted = '"SASL_SSL"'
    return (
        f"kafka.security_protocol: it is missing, and without it {' and '.join(sasl + tls)} would not be used: "
        f"set kafka.security_protocol to {wanted}"
    )


def _given(kafka: KafkaConfig, keys: tuple[str, ...]) -> list[str]:
    """Return the keys that are set, each with the name under which it was set."""
    names = {key: f"{key}_file" if getattr(kafka, f"{key}_file", None) else key for key in keys}
    return [f"kafka.{name}" for key, name in names.items() if getattr(kafka, key)]
