"""The config contract: TOML, environment, secrets, and errors that name the key."""

from __future__ import annotations

import re
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from consumers.config.loader import build, load
from consumers.config.schema import Settings
from consumers.errors import USAGE, Stop
from consumers.kafka_client.client import client_options
from consumers.kafka_client.tls import TlsFileError
from tests.support.secure_store import certificate

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
        ({"kafka": {"bootstrap_servers": 9092}}, "kafka.bootstrap_servers"),
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
    """A value is TOML if it parses and fits the key, else the text itself; numbers stay text where text is due."""
    assert read(with_environ(**{name: text})) == expected


def test_lists_with_commas_in_the_file_too() -> None:
    """What is written in the environment can be written in the file."""
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
    """Refused before anything is tried, with the variable, the key, the entry and how it is written; never a secret."""
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
    """A variable that was to be filled in and was not: no guess at what it means (an empty host is every address)."""
    section, name = key.split(".")
    variable = f"CROSSCURRENT_{section}__{name}".upper()
    assert refused(MOVIES, {variable: ""}).startswith(f"environment {variable}: {key}: ")


@pytest.mark.parametrize(
    "key", ["kafka.sasl_username", "kafka.ssl_cafile", "redis.password", "redis.ssl_cafile"]
)
def test_an_empty_value_takes_back_what_may_be_missing(key: str) -> None:
    """The environment can say that a key of the file is not set."""
    section, name = key.split(".")
    raw = {"redis": {"url": "rediss://h"}, "kafka": {"security_protocol": "SSL"}}
    raw[section][name] = "x"
    settings = build(MOVIES | raw, {f"CROSSCURRENT_{section}__{name}".upper(): ""})
    assert getattr(getattr(settings, section), name) is None


def test_what_may_be_empty() -> None:
    """No canaries, and topics by their default names."""
    settings = with_environ(KAFKA__CANARY_TOPIC="", DOMAINS__MOVIES__ITEMS_TOPIC="")
    assert settings.kafka.canary_topic == ""
    assert settings.domains["movies"].items_topic == "items.movies"


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
    """Both set: an error that names both, and the variable that set one, but not what it says."""
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
    """Keys of SASL or TLS without a protocol: no plain connection, but all these keys and what to set."""
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
    """What belongs together is there together."""
    whole = SCRAM | NAME | {"ssl_certfile": "c.pem", "ssl_keyfile": "k.pem", "security_protocol": "SASL_SSL"}
    assert build(MOVIES | {"kafka": whole}).kafka.sasl_username == "me"
    del whole[missing]
    assert refused(MOVIES | {"kafka": whole}).startswith(f"config: kafka.{missing}: needed with ")


# What Kafka's clients get


def test_client_options_are_plain_by_default() -> None:
    """Nothing about SASL or TLS is passed on when it is not asked for."""
    options = client_options(build(MOVIES).kafka)
    assert set(options) == {"bootstrap_servers", "security_protocol", "bootstrap_timeout_ms"}
    assert options["bootstrap_timeout_ms"] < 10_000  # unreachable is told within 10 s


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
    """What is missing or no certificate is an error that names the key and the file, until there is a good one."""
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
