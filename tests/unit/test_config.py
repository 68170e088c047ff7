"""The config contract: TOML, environment, secrets, and errors that name the key."""

from __future__ import annotations

import re
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from consumers.config import Settings
from consumers.config_file import build, load
from consumers.errors import USAGE, Stop
from consumers.tls import TlsFileError
from tests.integration.secure_store import certificate

MOVIES: dict[str, Any] = {"domains": {"movies": {}}}


def refused(raw: dict[str, Any], environ: dict[str, str] | None = None) -> str:
    """The message of the Stop that `build` must raise, whose exit code is always 2."""
    with pytest.raises(Stop) as caught:
        build(raw, environ)
    assert caught.value.code == USAGE
    return str(caught.value)


def with_environ(**environ: str) -> Settings:
    return build(MOVIES, {f"CROSSCURRENT_{name}": text for name, text in environ.items()})


# Defaults and the file


def test_documented_defaults() -> None:
    """With nothing but a domain, every listed key has the value of the contract."""
    settings = build(MOVIES)
    assert settings.kafka.bootstrap_servers == ["localhost:9092"]
    assert settings.kafka.dead_letter_topic == "crosscurrent.dead-letters"
    assert settings.kafka.group_id == "crosscurrent"
    assert (settings.redis.url, settings.redis.prefix) == ("redis://localhost:6379/0", "cc")
    assert (settings.metrics.host, settings.metrics.port) == ("127.0.0.1", 9464)
    assert (settings.checkpoint.directory, settings.checkpoint.interval_seconds) == ("./checkpoints", 10.0)
    assert settings.text_encoder.model == "hashing"
    assert settings.intake.dedup_events == 100_000
    assert (settings.intake.max_invalid_ratio, settings.intake.max_consecutive_invalid) == (0.5, 1000)
    publish = settings.publish
    assert (publish.interval_ms, publish.top, publish.explain_top, publish.ttl_seconds) == (
        50,
        50,
        10,
        604_800,
    )
    assert settings.domains["movies"].recommend
    assert settings.domains["movies"].catalogue == "open"


def test_the_contracts_own_example(tmp_path: Path) -> None:
    """The TOML of the design loads as written."""
    path = tmp_path / "config.toml"
    path.write_text(
        """
        [kafka]
        bootstrap_servers = ["a:9092", "b:9092"]
        [redis]
        url = "redis://localhost:6379/0"
        prefix = "cc"
        [metrics]
        port = 9464
        [checkpoint]
        directory = "./checkpoints"
        interval_seconds = 10
        [text_encoder]
        model = "hashing"
        [domains.movies]
        role = "source"
        rating_range = [0.5, 5.0]
        [domains.books]
        role = "target"
        rating_range = [1, 5]
        recommend = false
        catalogue = "required"
        items_topic = "shop.books"
        """
    )
    settings = load(path, {})
    movies, books = settings.domain_list()
    assert (movies.name, movies.role, movies.rating_range, movies.recommend) == (
        "movies",
        "source",
        (0.5, 5),
        True,
    )
    assert (books.name, books.role, books.recommend, books.catalogue) == (
        "books",
        "target",
        False,
        "required",
    )
    assert settings.topics() == {
        "crosscurrent.forget": ("", "forget"),
        "interactions.movies": ("movies", "interactions"),
        "items.movies": ("movies", "items"),
        "interactions.books": ("books", "interactions"),
        "shop.books": ("books", "items"),
    }


@pytest.mark.parametrize("content", [b"[kafka", b"a = 1\na = 2", b"\xff\xfe"])
def test_damaged_file(tmp_path: Path, content: bytes) -> None:
    """What is not TOML stops with the file's name and exit code 2."""
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(Stop, match=r"config\.toml: not valid TOML") as caught:
        load(path, {})
    assert caught.value.code == USAGE


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_unreadable_file(tmp_path: Path, name: str) -> None:
    """A missing file or a folder stops with exit code 2."""
    with pytest.raises(Stop, match="config ") as caught:
        load(tmp_path / name, {})
    assert caught.value.code == USAGE


def test_file_name_in_messages(tmp_path: Path) -> None:
    """An error in the file names the file and the key."""
    path = tmp_path / "my.toml"
    path.write_text("[kafka]\ngroup = 'x'")
    with pytest.raises(Stop, match=r"my\.toml: kafka\.group: unknown key"):
        load(path, {})


def test_without_file_domains_may_come_from_the_environment() -> None:
    """`load(None)` is defaults plus environment; commands that need no domain may say so."""
    settings = load(None, {"CROSSCURRENT_DOMAINS__GAMES__ROLE": "target"})
    assert settings.domains["games"].role == "target"
    assert load(None, {}, need_domains=False).domains == {}
    with pytest.raises(Stop, match="domains: name at least one"):
        load(None, {})


# Errors name the path


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ({"kafak": {}}, "kafak"),
        ({"kafka": {"server": 1}}, "kafka.server"),
        ({"redis": {"ttl": 1}}, "redis.ttl"),
        ({"learner": {"dim": 1}}, "learner.dim"),
        ({"domains": {"movies": {}, "books": {"rol": "source"}}}, "domains.books.rol"),
    ],
)
def test_unknown_key_names_its_path(raw: dict[str, Any], path: str) -> None:
    """An unknown key is an error that names its whole path, the domain's name included."""
    assert refused(MOVIES | raw) == f"config: {path}: unknown key"


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ({"kafka": 3}, "kafka"),
        ({"kafka": {"bootstrap_servers": "a:1"}}, "kafka.bootstrap_servers"),
        ({"kafka": {"bootstrap_servers": []}}, "kafka.bootstrap_servers"),
        ({"kafka": {"security_protocol": "TLS"}}, "kafka.security_protocol"),
        ({"redis": {"url": 6379}}, "redis.url"),
        ({"metrics": {"port": "9464"}}, "metrics.port"),
        ({"metrics": {"port": 70_000}}, "metrics.port"),
        ({"metrics": {"port": -1}}, "metrics.port"),
        ({"checkpoint": {"interval_seconds": 0}}, "checkpoint.interval_seconds"),
        ({"intake": {"batch_events": 0}}, "intake.batch_events"),
        ({"intake": {"max_invalid_ratio": 0}}, "intake.max_invalid_ratio"),
        ({"intake": {"max_invalid_ratio": 1.5}}, "intake.max_invalid_ratio"),
        ({"publish": {"top": 0}}, "publish.top"),
        ({"publish": {"ttl_seconds": 0}}, "publish.ttl_seconds"),
        ({"domains": {}}, "domains"),
        ({"domains": 3}, "domains"),
        ({"domains": {"movies": 3}}, "domains.movies"),
        ({"domains": {"Movies": {}}}, "domains.Movies"),
        ({"domains": {"mo vies": {}}}, "domains.mo vies"),
        ({"domains": {"": {}}}, "domains."),
        ({"domains": {"movies": {"role": "sauce"}}}, "domains.movies.role"),
        ({"domains": {"movies": {"catalogue": "closed"}}}, "domains.movies.catalogue"),
        ({"domains": {"movies": {"rating_range": [5, 1]}}}, "domains.movies.rating_range"),
        ({"domains": {"movies": {"rating_range": [1, 1]}}}, "domains.movies.rating_range"),
        ({"domains": {"movies": {"rating_range": [1, 2, 3]}}}, "domains.movies.rating_range"),
        ({"domains": {"movies": {"rating_range": [1, float("inf")]}}}, "domains.movies.rating_range"),
        ({"domains": {"movies": {"rating_range": [float("nan"), 5]}}}, "domains.movies.rating_range"),
        ({"kafka": {"security_protocol": "SASL_SSL"}}, "kafka.sasl_mechanism"),
    ],
)
def test_bad_value_names_its_path(raw: dict[str, Any], path: str) -> None:
    """A value of the wrong type, or one that makes no sense, is an error that begins with its path."""
    assert refused(MOVIES | raw).startswith(f"config: {path}: ")


@pytest.mark.parametrize(
    "domains",
    [
        {"movies": {}, "books": {"interactions_topic": "interactions.movies"}},
        {"movies": {}, "books": {"items_topic": "interactions.movies"}},
        {"movies": {"interactions_topic": "x", "items_topic": "x"}},
        {"movies": {"items_topic": "crosscurrent.dead-letters"}},
    ],
)
def test_a_topic_has_one_owner(domains: dict[str, Any]) -> None:
    """Two uses of one topic, the dead letters' included, are refused and both are named."""
    assert "is taken by " in refused({"domains": domains})


@pytest.mark.parametrize(
    ("key", "topic", "owner"),
    [
        ("forget_topic", "crosscurrent.dead-letters", "dead_letter_topic"),
        ("canary_topic", "crosscurrent.dead-letters", "dead_letter_topic"),
        ("canary_topic", "crosscurrent.forget", "forget_topic"),
    ],
)
def test_the_services_own_topics_differ(key: str, topic: str, owner: str) -> None:
    """Dead letters, requests to forget, canaries; no domain may use them either. Only canaries can be done without."""
    domains: dict[str, Any] = {"movies": {}}
    message = refused({"domains": domains, "kafka": {key: topic}})
    assert f"kafka.{key}: topic {topic} is taken by kafka.{owner}" in message
    domains["movies"]["items_topic"] = topic
    assert f"is taken by kafka.{owner}" in refused({"domains": domains})
    assert f"kafka.{owner}: name a topic" in refused({"domains": {"movies": {}}, "kafka": {owner: ""}})


# Environment


@pytest.mark.parametrize(
    ("name", "text", "read", "expected"),
    [
        ("REDIS__URL", "redis://h:1/2", lambda s: s.redis.url, "redis://h:1/2"),
        ("REDIS__URL", '"redis://h:1/2"', lambda s: s.redis.url, "redis://h:1/2"),
        ("REDIS__PREFIX", "123", lambda s: s.redis.prefix, "123"),
        ("REDIS__PREFIX", "true", lambda s: s.redis.prefix, "true"),
        ("REDIS__PREFIX", "1979-05-27", lambda s: s.redis.prefix, "1979-05-27"),
        ("REDIS__PREFIX", "[1]", lambda s: s.redis.prefix, "[1]"),
        ("KAFKA__SASL_PASSWORD", "0123", lambda s: s.kafka.sasl_password, "0123"),
        ("KAFKA__SASL_PASSWORD", "1e5", lambda s: s.kafka.sasl_password, "1e5"),
        ("KAFKA__SASL_PASSWORD", "1\nx = 2", lambda s: s.kafka.sasl_password, "1\nx = 2"),
        ("KAFKA__BOOTSTRAP_SERVERS", '["a:1", "b:2"]', lambda s: s.kafka.bootstrap_servers, ["a:1", "b:2"]),
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
    """A value is TOML if it parses and fits the key, else the text itself; numbers stay text where text is due."""
    assert read(with_environ(**{name: text})) == expected


def test_environment_wins_over_the_file(tmp_path: Path) -> None:
    """The file gives way to the environment, key by key."""
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
    """A name that looks like ours and fits no key is an error that names it."""
    assert refused(MOVIES, {name: "1"}).startswith(f"environment {name}: ")


def test_other_environment_names_are_not_ours() -> None:
    """Names without our prefix or without `__` are left alone."""
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


# Secrets


def test_secrets_from_files(tmp_path: Path) -> None:
    """`sasl_password_file` and `url_file` give their file's content, without the line end."""
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
    assert settings.kafka.client()["sasl_plain_password"] == "pässword"


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
        {"redis": {"url": "redis://:hunter2@h"}, "domains": {}},
    ],
)
def test_secrets_never_show(raw: dict[str, Any]) -> None:
    """No error message repeats a password or a URL."""
    assert "hunter2" not in refused(MOVIES | raw)


# What Kafka's clients get


def test_client_options_are_plain_by_default() -> None:
    """Nothing about SASL or TLS is passed on when it is not asked for."""
    options = build(MOVIES).kafka.client()
    assert set(options) == {"bootstrap_servers", "security_protocol", "bootstrap_timeout_ms"}
    assert options["bootstrap_timeout_ms"] < 10_000  # unreachable is told within 10 s


def test_client_options_with_tls() -> None:
    """Certificates and the server's name are checked, and old protocols are refused."""
    options = build(MOVIES | {"kafka": {"security_protocol": "SSL"}}).kafka.client()
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
    """What is missing or no certificate is an error that names the key and the file, until there is a good one."""
    file = tmp_path / "some.pem"
    raw = {"security_protocol": "SSL"} | dict.fromkeys(keys, str(file))
    context = build(MOVIES | {"kafka": raw}).kafka.client()["ssl_context"]

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
