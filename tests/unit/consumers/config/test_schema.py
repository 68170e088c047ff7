"""The config contract holds: TOML, environment, secrets, and errors that name the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from consumers.config.loader import build, load
from consumers.errors import USAGE, Stop
from tests.support.configs import MOVIES, refused

# Defaults and the file


def test_documented_defaults() -> None:
    """With only a domain, every listed key has the contract's default."""
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
    """A file that is not TOML stops with its name and exit code 2."""
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
    ("raw", "path", "like"),
    [
        ({"kafak": {}}, "kafak", "kafka"),
        ({"kafka": {"bootstrap_server": 1}}, "kafka.bootstrap_server", "bootstrap_servers"),
        ({"kafka": {"server": 1}}, "kafka.server", ""),
        ({"redis": {"ttl": 1}}, "redis.ttl", ""),
        ({"learner": {"dim": 1}}, "learner.dim", ""),
        ({"domains": {"movies": {}, "books": {"rol": "source"}}}, "domains.books.rol", "role"),
    ],
)
def test_unknown_key_names_its_path(raw: dict[str, Any], path: str, like: str) -> None:
    """An unknown key is an error that names its whole path, the domain's name included, and a key like it."""
    hint = f"; did you mean {like}?" if like else ""
    assert refused(MOVIES | raw) == f"config: {path}: unknown key{hint}"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"kafka": {"group_id": 1}}, "kafka.group_id: must be a string, not a whole number"),
        ({"kafka": {"sasl_username": True}}, "kafka.sasl_username: must be a string, not true or false"),
        ({"kafka": 3}, "kafka: must be a table, not a whole number"),
        ({"learner": {"users": 1.5}}, "learner.users: must be a whole number, not a number"),
        (
            {"domains": {"movies": {"rating_range": [1]}}},
            "domains.movies.rating_range: must be a list of length 2, not 1",
        ),
    ],
)
def test_a_wrong_type_is_told_in_words(raw: dict[str, Any], said: str) -> None:
    """The value is not repeated: it may be a secret."""
    assert refused(MOVIES | raw) == f"config: {said}"


def test_all_errors_are_told_at_once() -> None:
    """Unknown keys and wrong types first, then values out of range; each on a line, with where it comes from."""
    raw: dict[str, Any] = {
        "kafak": {},
        "learner": {"users": "many"},
        "domains": {"books": {"allow": [1], "rol": 2}},
    }
    with pytest.raises(Stop) as caught:
        build(raw, {"CROSSCURRENT_METRICS__PORT": "high"})
    lines = str(caught.value).splitlines()
    assert len(lines) == 5
    assert (
        "environment CROSSCURRENT_METRICS__PORT: metrics.port: must be a whole number, not a string" in lines
    )
    assert {line.split(": ")[1] for line in lines} == {
        "kafak", "learner.users", "metrics.port", "domains.books.allow[0]", "domains.books.rol"
    }  # fmt: skip
    wrong = refused(MOVIES | {"publish": {"top": 0, "ttl_seconds": 0}})
    assert [line.split(": ")[1] for line in wrong.splitlines()] == ["publish.top", "publish.ttl_seconds"]


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
    """Two uses of one topic are refused and both are named, also for the topic of dead letters."""
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
    """Service topics must differ and no domain may use them. Only canaries can be switched off."""
    domains: dict[str, Any] = {"movies": {}}
    message = refused({"domains": domains, "kafka": {key: topic}})
    assert f"kafka.{key}: topic {topic} is taken by kafka.{owner}" in message
    domains["movies"]["items_topic"] = topic
    assert f"is taken by kafka.{owner}" in refused({"domains": domains})
    assert f"kafka.{owner}: name a topic" in refused({"domains": {"movies": {}}, "kafka": {owner: ""}})


# Environment


# Secrets


# What Kafka's clients get


@pytest.mark.parametrize(
    ("ranker", "said"),
    [
        ({"explore": -0.1}, "ranker.explore: must be from 0 to 5; 1 is recommended"),
        ({"explore": 6.0}, "ranker.explore: must be from 0 to 5; 1 is recommended"),
        ({"explore": 1.0, "diversity": 0.2}, "ranker.explore: must be 0 with ranker.diversity"),
    ],
)
def test_exploration_has_bounds(ranker: dict[str, float], said: str) -> None:
    """It cannot be negative or very wide, and what changes the order of a drawn list is refused."""
    assert said in refused(MOVIES | {"ranker": ranker})
    assert build(MOVIES | {"ranker": {"explore": 1.0}}).learning().ranker.explore == 1.0
