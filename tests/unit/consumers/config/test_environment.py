"""Settings from the environment, and values as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from consumers.config.loader import build, load
from tests.support.configs import MOVIES, refused, with_environ


@pytest.mark.parametrize(
    ("name", "text", "read", "expected"),
    [
        ("REDIS__URL", "redis://h:1/2", lambda s: s.redis.url, "redis://h:1/2"),
        ("REDIS__URL", '"redis://h:1/2"', lambda s: s.redis.url, "redis://h:1/2"),
        ("REDIS__PREFIX", "123", lambda s: s.redis.prefix, "123"),
        ("REDIS__PREFIX", "true", lambda s: s.redis.prefix, "true"),
        ("REDIS__PREFIX", "1979-05-27", lambda s: s.redis.prefix, "1979-05-27"),
        ("REDIS__PREFIX", "[1]", lambda s: s.redis.prefix, "[1]"),
        ("REDIS__PASSWORD", "0123", lambda s: s.redis.password, "0123"),
        ("REDIS__PASSWORD", "1e5", lambda s: s.redis.password, "1e5"),
        ("REDIS__PASSWORD", "1\nx = 2", lambda s: s.redis.password, "1\nx = 2"),
        ("KAFKA__BOOTSTRAP_SERVERS", '["a:1", "b:2"]', lambda s: s.kafka.bootstrap_servers, ["a:1", "b:2"]),
        ("KAFKA__BOOTSTRAP_SERVERS", "a:1,b:2", lambda s: s.kafka.bootstrap_servers, ["a:1", "b:2"]),
        ("KAFKA__BOOTSTRAP_SERVERS", " a:1 , [::1]:2, ", lambda s: s.kafka.bootstrap_servers, ["a:1", "[::1]:2"]),
        ("KAFKA__BOOTSTRAP_SERVERS", '"a:1,b:2"', lambda s: s.kafka.bootstrap_servers, ["a:1", "b:2"]),
        ("KAFKA__BOOTSTRAP_SERVERS", '["a:1,b:2 "]', lambda s: s.kafka.bootstrap_servers, ["a:1", "b:2"]),
        ("DOMAINS__MOVIES__ALLOW", "dune, 1984", lambda s: s.domains["movies"].allow, ["dune", "1984"]),
        ("DOMAINS__MOVIES__DENY", "1984", lambda s: s.domains["movies"].deny, ["1984"]),
        ("DOMAINS__MOVIES__DENY", '["a, b"]', lambda s: s.domains["movies"].deny, ["a, b"]),
        ("DOMAINS__MOVIES__RATING_RANGE", "0.5,5", lambda s: s.domains["movies"].rating_range, (0.5, 5)),
        ("METRICS__PORT", "1234", lambda s: s.metrics.port, 1234),
        ("CHECKPOINT__INTERVAL_SECONDS", "2", lambda s: s.checkpoint.interval_seconds, 2.0),
        ("LEARNER__COMPARE", "false", lambda s: s.learner.compare, False),
        ("DOMAINS__MOVIES__ROLE", "both", lambda s: s.domains["movies"].role, "both"),
        ("DOMAINS__MOVIES__RATING_RANGE", "[0, 10]", lambda s: s.domains["movies"].rating_range, (0, 10)),
        ("DOMAINS__MY-SHOP__ROLE", "target", lambda s: s.domains["my-shop"].role, "target"),
        ("DOMAINS__MY_SHOP__ROLE", "target", lambda s: s.domains["my_shop"].role, "target"),
    ],
)  # fmt: skip
def test_environment_is_parsed_as_toml_else_text(name: str, text: str, read: Any, expected: Any) -> None:
    """A value is TOML if it parses and fits the key, else plain text; a number stays text for a text key."""
    assert read(with_environ(**{name: text})) == expected


def test_lists_with_commas_in_the_file_too() -> None:
    """A list with commas can be written in the file too."""
    settings = build(
        {
            "kafka": {"bootstrap_servers": "a:9092, b:9092"},
            "domains": {"movies": {"allow": "dune,emma", "rating_range": "1,10"}},
        }
    )
    assert settings.kafka.bootstrap_servers == ["a:9092", "b:9092"]
    assert settings.domains["movies"].allow == ["dune", "emma"]
    assert settings.domains["movies"].rating_range == (1, 10)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kafka", "it has no port: write kafka:9092"),
        ("a:9092,kafka", "entry 2, 'kafka': it has no port"),
        ("::1", "write host:port"),
        ("PLAINTEXT://a:9092", "write host:port"),
        ("a:9092;b:9092", "write host:port"),
        ("a:port", "write host:port"),
        ("a:0", "a port is from 1 to 65535"),
        ("a:70000", "a port is from 1 to 65535"),
        ('["a:1", "b:2"', "not a TOML array"),
        ("[a:1, b:2]", "not a TOML array"),
        (",", "name at least one"),
        ("", "name at least one"),
        ("me:hunter2@a:9092", "write host:port"),
    ],
)
def test_addresses_that_cannot_be_meant(text: str, said: str) -> None:
    """A bad address is refused at once, with variable, key, entry and the right form, without a secret."""
    name = "CROSSCURRENT_KAFKA__BOOTSTRAP_SERVERS"
    message = refused(MOVIES, {name: text})
    assert message.startswith(f"environment {name}: kafka.bootstrap_servers: ")
    assert said in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "key",
    [
        "kafka.group_id",
        "redis.url",
        "redis.prefix",
        "metrics.host",
        "checkpoint.directory",
        "text_encoder.model",
        "privacy.key",
        "privacy.key_file",
    ],
)
def test_an_empty_value_is_told(key: str) -> None:
    """An empty variable is an error and not guessed (an empty host would mean every address)."""
    section, name = key.split(".")
    variable = f"CROSSCURRENT_{section}__{name}".upper()
    assert refused(MOVIES, {variable: ""}).startswith(f"environment {variable}: {key}: ")


@pytest.mark.parametrize(
    "key", ["kafka.sasl_username", "kafka.ssl_cafile", "redis.password", "redis.ssl_cafile"]
)
def test_an_empty_value_takes_back_what_may_be_missing(key: str) -> None:
    """An empty variable removes a key of the file."""
    section, name = key.split(".")
    raw = {"redis": {"url": "rediss://h"}, "kafka": {"security_protocol": "SSL"}}
    raw[section][name] = "x"
    settings = build(MOVIES | raw, {f"CROSSCURRENT_{section}__{name}".upper(): ""})
    assert getattr(getattr(settings, section), name) is None


def test_what_may_be_empty() -> None:
    """Empty text is allowed for no canaries and for the default names of topics."""
    settings = with_environ(KAFKA__CANARY_TOPIC="", DOMAINS__MOVIES__ITEMS_TOPIC="")
    assert settings.kafka.canary_topic == ""
    assert settings.domains["movies"].items_topic == "items.movies"


def test_environment_wins_over_the_file(tmp_path: Path) -> None:
    """The environment overrides the file, key by key."""
    path = tmp_path / "c.toml"
    path.write_text('[redis]\nurl = "redis://file"\nprefix = "file"\n[domains.movies]')
    settings = load(path, {"CROSSCURRENT_REDIS__URL": "redis://env"})
    assert (settings.redis.url, settings.redis.prefix) == ("redis://env", "file")


def test_the_process_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an explicit environment `load` reads the process's own."""
    monkeypatch.setenv("CROSSCURRENT_DOMAINS__MOVIES__ROLE", "target")
    assert load(None).domains["movies"].role == "target"


@pytest.mark.parametrize(
    "name",
    [
        "CROSSCURRENT_NOPE__URL",
        "CROSSCURRENT_REDIS__NOPE",
        "CROSSCURRENT_REDIS__URL__X",
        "CROSSCURRENT_DOMAINS__MOVIES__NOPE",
        "CROSSCURRENT_REDIS__",
        "CROSSCURRENT___URL",
    ],
)
def test_unknown_environment_name(name: str) -> None:
    """A variable with our prefix that fits no key is an error that names it."""
    assert refused(MOVIES, {name: "1"}).startswith(f"environment {name}: ")


def test_other_environment_names_are_not_ours() -> None:
    """Variables without our prefix or without `__` are ignored."""
    settings = build(
        MOVIES, {"CROSSCURRENT_CI": "1", "REDIS__URL": "x", "PATH": "/", "XCROSSCURRENT_REDIS__URL": "y"}
    )
    assert settings.redis.url == "redis://localhost:6379/0"


def test_environment_error_names_the_key() -> None:
    """A value that does not fit its key is refused under the key's path."""
    assert "metrics.port: " in refused(MOVIES, {"CROSSCURRENT_METRICS__PORT": "http"})
    assert "redis" in refused(MOVIES | {"redis": 3}, {"CROSSCURRENT_REDIS__URL": "x"})


def test_build_leaves_its_input_alone() -> None:
    """Overrides are not written into the caller's dict."""
    raw: dict[str, Any] = {"domains": {"movies": {}}}
    build(raw, {"CROSSCURRENT_REDIS__PREFIX": "x", "CROSSCURRENT_DOMAINS__BOOKS__ROLE": "target"})
    assert raw == {"domains": {"movies": {}}}
