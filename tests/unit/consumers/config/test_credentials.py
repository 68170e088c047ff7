"""Secrets come from files and variables, never show, and are never left unused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from consumers.config.loader import build
from consumers.errors import USAGE, Stop
from consumers.kafka_client.client import client_options
from tests.support.configs import MOVIES, refused


def test_secrets_from_files(tmp_path: Path) -> None:
    """`sasl_password_file` and `url_file` stand for their file's content, without the line end."""
    (tmp_path / "p").write_text("pässword\n")
    (tmp_path / "u").write_text("redis://:secret@h:1/0\n")
    settings = build(
        MOVIES
        | {
            "kafka": {
                "security_protocol": "SASL_SSL",
                "sasl_mechanism": "PLAIN",
                "sasl_username": "me",
                "sasl_password_file": str(tmp_path / "p"),
            }
        },
        {"CROSSCURRENT_REDIS__URL_FILE": str(tmp_path / "u")},
    )
    assert settings.redis.url == "redis://:secret@h:1/0"
    assert client_options(settings.kafka)["sasl_plain_password"] == "pässword"


@pytest.mark.parametrize(
    "key",
    [
        "kafka.sasl_password",
        "schema_registry.password",
        "redis.url",
        "redis.password",
        "redis.sentinel_password",
        "privacy.key",
    ],
)
def test_a_secret_and_its_file(key: str, tmp_path: Path) -> None:
    """A secret and its file together are an error that names both, and the variable, but not the secret."""
    (tmp_path / "p").write_text("from-the-file-1234\n")
    section, name = key.split(".")
    variable = f"CROSSCURRENT_{section}__{name}".upper()
    file = {section: {f"{name}_file": str(tmp_path / "p")}}
    for raw, environ in (
        ({section: file[section] | {name: "hunter2-hunter2-hunter2"}}, {}),
        (file, {variable: "hunter2-hunter2-hunter2"}),
    ):
        with pytest.raises(Stop, match=f"{key} and {key}_file are both set") as stop:
            build(raw, environ, need_domains=False)
        assert stop.value.code == USAGE
        assert (variable in str(stop.value)) == bool(environ)
        assert "hunter2" not in str(stop.value)


@pytest.mark.parametrize("key", ["kafka.sasl_password_file", "redis.url_file"])
def test_unreadable_secret_file(tmp_path: Path, key: str) -> None:
    """A secret file that is missing, or no text, is an error that names the key and not the content."""
    section, name = key.split(".")
    assert refused(MOVIES | {section: {name: str(tmp_path / "no")}}).startswith(f"{key} ")
    path = tmp_path / "binary"
    path.write_bytes(b"hunter2\xff")
    message = refused(MOVIES | {section: {name: str(path)}})
    assert message.startswith(f"{key} ")
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "raw",
    [
        {"kafka": {"sasl_password": ["hunter2"]}},
        {"kafka": {"sasl_password": "hunter2", "security_protocol": "SASL_SSL"}},
        {"redis": {"url": {"hunter2": 1}}},
        {"schema_registry": {"url": "http://me:hunter2@h"}},
        {"schema_registry": {"password": "hunter2"}},
        {"redis": {"url": "redis://:hunter2@h"}, "domains": {}},
    ],
)
def test_secrets_never_show(raw: dict[str, Any]) -> None:
    """No error message repeats a password or a URL."""
    assert "hunter2" not in refused(MOVIES | raw)


PEM, NAME = {"ssl_cafile": "ca.pem"}, {"sasl_username": "me", "sasl_password": "hunter2-secret"}
SCRAM = {"sasl_mechanism": "SCRAM-SHA-256"}


@pytest.mark.parametrize(
    ("kafka", "unused", "fix"),
    [
        (
            SCRAM | NAME,
            "kafka.sasl_mechanism and kafka.sasl_username and kafka.sasl_password",
            '"SASL_SSL" (or "SASL',
        ),
        ({"sasl_password_file": "{file}"}, "kafka.sasl_password_file", '"SASL_SSL" (or "SASL'),
        (PEM, "kafka.ssl_cafile", '"SSL"'),
        (
            {"ssl_certfile": "c.pem", "ssl_keyfile": "k.pem"},
            "kafka.ssl_certfile and kafka.ssl_keyfile",
            '"SSL"',
        ),
        (SCRAM | NAME | PEM, "kafka.sasl_password and kafka.ssl_cafile", '"SASL_SSL"'),
    ],
)
def test_credentials_are_never_left_aside(
    kafka: dict[str, str], unused: str, fix: str, tmp_path: Path
) -> None:
    """Keys of SASL or TLS without a protocol are an error that names them all and says what to set."""
    (tmp_path / "p").write_text("hunter2-secret")
    raw = {key: value.replace("{file}", str(tmp_path / "p")) for key, value in kafka.items()}
    message = refused(MOVIES | {"kafka": raw})
    assert message.startswith("config: kafka.security_protocol: ")
    assert unused in message
    assert f"set kafka.security_protocol to {fix}" in message
    assert "hunter2" not in message
    chosen = build(MOVIES | {"kafka": raw | {"security_protocol": "PLAINTEXT"}})
    assert chosen.kafka.security_protocol == "PLAINTEXT"


@pytest.mark.parametrize("missing", ["sasl_mechanism", "sasl_username", "sasl_password", "ssl_certfile"])
def test_half_of_the_credentials(missing: str) -> None:
    """Keys that need each other are an error if one is missing."""
    whole = SCRAM | NAME | {"ssl_certfile": "c.pem", "ssl_keyfile": "k.pem", "security_protocol": "SASL_SSL"}
    assert build(MOVIES | {"kafka": whole}).kafka.sasl_username == "me"
    del whole[missing]
    assert refused(MOVIES | {"kafka": whole}).startswith(f"config: kafka.{missing}: needed with ")
