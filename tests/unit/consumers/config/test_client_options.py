"""Kafka's clients get their options from the config."""

from __future__ import annotations

import re
import socket
import ssl
from pathlib import Path

import pytest

from consumers.config.loader import build
from consumers.kafka_client.client import client_options
from consumers.kafka_client.tls import TlsFileError
from tests.support.configs import MOVIES
from tests.support.store.secure_store import certificate


def test_client_options_are_plain_by_default() -> None:
    """Without a security protocol no option of SASL or TLS is passed on."""
    options = client_options(build(MOVIES).kafka)
    names = {"bootstrap_servers", "client_id", "security_protocol", "bootstrap_timeout_ms", "kafka_client"}
    assert set(options) == names
    assert options["client_id"] == "crosscurrent"  # quotas use this name
    assert options["bootstrap_timeout_ms"] < 10_000  # an unreachable broker is reported within 10 s


def test_client_options_with_tls() -> None:
    """Certificates and the server's name are checked, and old protocols are refused."""
    options = client_options(build(MOVIES | {"kafka": {"security_protocol": "SSL"}}).kafka)
    assert options["security_protocol"] == "SSL"
    with socket.socket() as plain:
        made = options["ssl_context"].wrap_socket(
            plain, server_hostname="kafka", do_handshake_on_connect=False
        )
        with made:
            assert made.context.check_hostname
            assert made.context.verify_mode is ssl.CERT_REQUIRED
            assert made.context.minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("keys", [("ssl_cafile",), ("ssl_certfile", "ssl_keyfile")])
def test_tls_files_are_loaded_for_each_connection(keys: tuple[str, ...], tmp_path: Path) -> None:
    """A missing or wrong file is an error that names key and file, until there is a good one."""
    file = tmp_path / "some.pem"
    raw = {"security_protocol": "SSL"} | dict.fromkeys(keys, str(file))
    context = client_options(build(MOVIES | {"kafka": raw}).kafka)["ssl_context"]

    def wrap() -> None:
        with socket.socket() as plain:
            context.wrap_socket(plain, server_hostname="kafka", do_handshake_on_connect=False).close()

    for content in (None, "no certificate"):
        if content is not None:
            file.write_text(content)
        with pytest.raises(TlsFileError, match=f"kafka.{keys[0]} {re.escape(str(file))}"):
            wrap()
    file.write_text("".join(made.read_text() for made in certificate(tmp_path)))
    wrap()
