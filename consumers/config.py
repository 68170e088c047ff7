"""Config: one TOML file, environment overrides, every key typed. An unknown key is an error that names its path."""

from __future__ import annotations

import copy
import math
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from consumers.errors import Stop
from models.interaction import Domain, Role
from models.settings import AdaptationSettings, LearnerSettings, RankerSettings
from serving.pseudonym import Pseudonyms

PREFIX = "CROSSCURRENT_"
BOOTSTRAP_SECONDS = 6.0
"""How long Kafka may take to answer at a start."""
DOMAIN_NAME = re.compile(r"[a-z0-9_-]+")


class Kafka(msgspec.Struct, forbid_unknown_fields=True):
    """Where events come from. `sasl_password_file` names a file that holds the password."""

    bootstrap_servers: list[str] = msgspec.field(default_factory=lambda: ["localhost:9092"])
    dead_letter_topic: str = "crosscurrent.dead-letters"
    forget_topic: str = "crosscurrent.forget"
    group_id: str = "crosscurrent"
    canary_topic: str = "crosscurrent.canary"
    """Where the service sends records of its own, to time them; "" for none."""
    canary_seconds: float = 5.0
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: str | None = None
    sasl_password_file: str | None = None
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None

    def client(self) -> dict[str, Any]:
        """The keyword arguments that every Kafka client takes."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers,
            "security_protocol": self.security_protocol,
            "bootstrap_timeout_ms": int(1000 * BOOTSTRAP_SECONDS),
        }
        if self.sasl_mechanism:
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self.sasl_password,
            }
        if self.security_protocol.endswith("SSL"):
            for key in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
                options[key] = getattr(self, key)
        return options


class Redis(msgspec.Struct, forbid_unknown_fields=True):
    """Where results go. `rediss://` is TLS; a password is better kept in the file that `password_file` names."""

    url: str = "redis://localhost:6379/0"
    url_file: str | None = None
    prefix: str = "cc"
    username: str | None = None
    password: str | None = None
    password_file: str | None = None
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    cluster: bool = False
    """The URL names one node of a Redis Cluster; the others are found out."""

    def client(self) -> dict[str, Any]:
        """What `serving.publisher.connect` takes beside the URL."""
        return {
            "cluster": self.cluster,
            "username": self.username,
            "password": self.password,
            "ssl_ca_certs": self.ssl_cafile,
            "ssl_certfile": self.ssl_certfile,
            "ssl_keyfile": self.ssl_keyfile,
        }


class Privacy(msgspec.Struct, forbid_unknown_fields=True):
    """With a key, state and store hold keyed hashes instead of user ids. `pseudonyms = false`: of the forgotten."""

    key: str | None = None
    key_file: str | None = None
    pseudonyms: bool = True

    def ids(self) -> Pseudonyms:
        return Pseudonyms(self.key, self.pseudonyms)


class Metrics(msgspec.Struct, forbid_unknown_fields=True):
    host: str = "127.0.0.1"
    port: int = 9464


class Checkpoint(msgspec.Struct, forbid_unknown_fields=True):
    directory: str = "./checkpoints"
    interval_seconds: float = 10.0
    whole_mb: float = 32.0
    """Larger tables are written as increments of what was touched."""


class TextEncoder(msgspec.Struct, forbid_unknown_fields=True):
    """`hashing`, or a sentence-transformers model: a name or a local folder."""

    model: str = "hashing"


class Intake(msgspec.Struct, forbid_unknown_fields=True):
    batch_events: int = 256
    """A micro-batch is cut at this many records …"""
    batch_ms: float = 20.0
    """… or at this age, whichever comes first. The fast path has learned it then, and it is published."""
    network_events: int = 256
    """The network takes a step after this many learned events …"""
    network_ms: float = 1000.0
    """… or this long after the first of them."""
    dedup_events: int = 100_000
    max_record_bytes: int = 524_288
    max_invalid_ratio: float = 0.5
    max_consecutive_invalid: int = 1000


class Publish(msgspec.Struct, forbid_unknown_fields=True):
    interval_ms: float = 50.0
    top: int = 50
    explain_top: int = 10
    ttl_seconds: int = 604_800
    list_share: float = 0.25
    """While records wait to be learned, lists take at most this share of the time that learning takes."""
    max_backlog: int = 200_000
    """Values waiting for the store; past it the service stops reading events until the store catches up."""


class DomainConfig(msgspec.Struct, forbid_unknown_fields=True):
    role: Role = "source"
    rating_range: tuple[float, float] = (1.0, 5.0)
    recommend: bool = True
    catalogue: Literal["open", "required"] = "open"
    allow: list[str] = []
    """If not empty, only these items are recommended."""
    deny: list[str] = []
    """These items are never recommended."""
    interactions_topic: str = ""
    items_topic: str = ""


class Settings(msgspec.Struct, forbid_unknown_fields=True):
    """The whole config. Every key has a default but `domains`."""

    kafka: Kafka = msgspec.field(default_factory=Kafka)
    redis: Redis = msgspec.field(default_factory=Redis)
    privacy: Privacy = msgspec.field(default_factory=Privacy)
    metrics: Metrics = msgspec.field(default_factory=Metrics)
    checkpoint: Checkpoint = msgspec.field(default_factory=Checkpoint)
    text_encoder: TextEncoder = msgspec.field(default_factory=TextEncoder)
    intake: Intake = msgspec.field(default_factory=Intake)
    publish: Publish = msgspec.field(default_factory=Publish)
    learner: LearnerSettings = msgspec.field(default_factory=LearnerSettings)
    ranker: RankerSettings = msgspec.field(default_factory=RankerSettings)
    adaptation: AdaptationSettings = msgspec.field(default_factory=AdaptationSettings)
    domains: dict[str, DomainConfig] = {}

    def domain_list(self) -> list[Domain]:
        """What the learners need to know of the domains, in the order of the file."""
        return [
            Domain(
                name, d.role, d.rating_range, d.recommend, d.catalogue, frozenset(d.allow), frozenset(d.deny)
            )
            for name, d in self.domains.items()
        ]

    def topics(self) -> dict[str, tuple[str, Literal["interactions", "items", "forget"]]]:
        """Topic name to (domain, kind of its records); the topic of requests to forget has no domain."""
        topics: dict[str, tuple[str, Literal["interactions", "items", "forget"]]] = {
            self.kafka.forget_topic: ("", "forget")
        }
        for name, domain in self.domains.items():
            topics[domain.interactions_topic] = (name, "interactions")
            topics[domain.items_topic] = (name, "items")
        return topics

    def topic_kinds(self) -> list[tuple[str, Literal["interactions", "items"]]]:
        """Every topic, as what it is created: requests to forget are compacted as items are."""
        return [
            (name, "interactions" if kind == "interactions" else "items")
            for name, (_, kind) in self.topics().items()
        ]


def load(path: Path | None, environ: Mapping[str, str] | None = None, need_domains: bool = True) -> Settings:
    """Reads `path` (None: defaults only), applies the environment, validates.

    Raises Stop with exit code 2 and the path of the offending key.
    """
    raw: dict[str, Any] = {}
    if path is not None:
        try:
            raw = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise Stop(f"config {path}: {error.strerror}. Start from deploy/crosscurrent.toml.") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise Stop(f"config {path}: not valid TOML: {error}") from error
    return build(raw, os.environ if environ is None else environ, str(path or "defaults"), need_domains)


def build(
    raw: dict[str, Any],
    environ: Mapping[str, str] | None = None,
    origin: str = "config",
    need_domains: bool = True,
) -> Settings:
    """Settings from a plain dict and environment overrides; see `load`."""
    raw = copy.deepcopy(raw)
    from_environment: dict[str, str] = {}
    for name, text in (environ or {}).items():
        if name.startswith(PREFIX) and "__" in name:
            from_environment[_override(raw, name, text)] = name
    try:
        settings = msgspec.convert(raw, Settings)
    except msgspec.ValidationError as error:
        place, what = _readable(str(error), _bad_domain(raw))
        if (variable := from_environment.get(place)) is not None:
            origin = f"environment {variable}"
        raise Stop(f"{origin}: {place or 'top level'}: {what}") from error
    _read_secret_files(settings)
    _check(settings, origin, need_domains)
    return settings


def _bad_domain(raw: dict[str, Any]) -> str:
    """The name of the first domain that is not well-formed: msgspec's path says `[...]` for it."""
    domains = raw.get("domains")
    for name, domain in domains.items() if isinstance(domains, dict) else ():
        try:
            msgspec.convert(domain, DomainConfig)
        except msgspec.ValidationError:
            return str(name)
    return ""


def _readable(message: str, domain: str) -> tuple[str, str]:
    """msgspec's `Object contains unknown field `x` - at `$.kafka`` as the key, `kafka.x`, and what is wrong with it."""
    text, _, where = message.partition(" - at `$")
    place = where.rstrip("`").lstrip(".").replace("domains[...]", f"domains.{domain}").replace("[...]", "")
    if unknown := re.match(r"Object contains unknown field `(.*)`", text):
        return f"{place + '.' if place else ''}{unknown[1]}", "unknown key"
    if text.startswith("Invalid enum value"):
        kind = _kind(place.split("."))
        literals = [one for one in (kind, *get_args(kind)) if get_origin(one) is Literal]
        choices = ", ".join(choice for one in literals for choice in get_args(one))
        return place, f"{text.removeprefix('Invalid enum value ')} is none of {choices}"
    return place, text


def _kind(path: list[str]) -> Any:
    """The type of a key; None if there is no such key."""
    kind: Any = Settings
    for key in path:
        if get_origin(kind) is dict:
            kind = get_args(kind)[1]
        elif isinstance(kind, type) and issubclass(kind, msgspec.Struct) and key in get_type_hints(kind):
            kind = get_type_hints(kind)[key]
        else:
            return None
    return kind


def _override(raw: dict[str, Any], name: str, text: str) -> str:
    """Sets what the variable says; gives the key's path."""
    path = name.removeprefix(PREFIX).lower().split("__")
    if (kind := _kind(path)) is None:
        raise Stop(f"environment {name}: {'.'.join(path)}: unknown key")
    table = raw
    for key in path[:-1]:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise Stop(f"environment {name}: {'.'.join(path)}: its parent is not a table")
    optional = get_origin(kind) is not list and str in get_args(kind)
    table[path[-1]] = _parse(text, wants_text=kind is str or optional)
    return ".".join(path)


def _parse(text: str, wants_text: bool) -> Any:
    """`text` as TOML, else as it stands; where a string is wanted, `123` stays a string."""
    try:
        parsed = tomllib.loads(f"v = {text}")
    except tomllib.TOMLDecodeError:
        return text
    value = parsed["v"]
    return text if len(parsed) > 1 or (wants_text and not isinstance(value, str)) else value


def _read_secret_files(settings: Settings) -> None:
    for section, owner, key in (
        ("kafka", settings.kafka, "sasl_password"),
        ("redis", settings.redis, "url"),
        ("redis", settings.redis, "password"),
        ("privacy", settings.privacy, "key"),
    ):
        if file := getattr(owner, f"{key}_file"):
            try:
                setattr(owner, key, Path(file).read_text(encoding="utf-8").strip())
            except OSError as error:
                raise Stop(f"{section}.{key}_file {file}: {error.strerror}") from error
            except UnicodeDecodeError:  # the error itself would show the secret
                raise Stop(f"{section}.{key}_file {file}: not UTF-8 text") from None


def _check(settings: Settings, origin: str, need_domains: bool) -> None:
    def demand(holds: bool, message: str) -> None:
        if not holds:
            raise Stop(f"{origin}: {message}")

    demand(bool(settings.domains) or not need_domains, "domains: name at least one, as [domains.movies]")
    owners: dict[str, str] = {}
    for key in ("dead_letter_topic", "forget_topic", "canary_topic"):
        topic = getattr(settings.kafka, key)
        demand(bool(topic) or key == "canary_topic", f"kafka.{key}: name a topic")
        demand(topic not in owners, f"kafka.{key}: topic {topic} is taken by {owners.get(topic)}")
        owners[topic] = f"kafka.{key}"
    for name, domain in settings.domains.items():
        demand(bool(DOMAIN_NAME.fullmatch(name)), f"domains.{name}: a name matches [a-z0-9_-]+")
        low, high = domain.rating_range
        finite = math.isfinite(low) and math.isfinite(high)
        demand(
            finite and low < high,
            f"domains.{name}.rating_range: two finite values, the first below the second",
        )
        for kind in ("interactions", "items"):
            topic = getattr(domain, f"{kind}_topic") or f"{kind}.{name}"
            setattr(domain, f"{kind}_topic", topic)
            owner = f"domains.{name}.{kind}_topic"
            demand(topic not in owners, f"{owner}: topic {topic} is taken by {owners.get(topic)}")
            owners[topic] = owner
    for section, keys in (
        (
            settings.intake,
            ("batch_events", "batch_ms", "network_events", "max_record_bytes", "max_consecutive_invalid"),
        ),
        (settings.publish, ("interval_ms", "top", "ttl_seconds", "max_backlog")),
        (settings.learner, ("users", "items_per_domain")),
        (settings.checkpoint, ("interval_seconds",)),
        (settings.kafka, ("canary_seconds",)),
    ):
        for key in keys:
            demand(getattr(section, key) > 0, f"{type(section).__name__.lower()}.{key}: must be above 0")
    demand(bool(settings.kafka.bootstrap_servers), "kafka.bootstrap_servers: name at least one")
    demand(0 <= settings.metrics.port <= 65_535, "metrics.port: must be from 0 (any free one) to 65535")
    demand(0 <= settings.ranker.diversity <= 1, "ranker.diversity: must be in [0, 1]")
    demand(0 < settings.publish.list_share <= 1, "publish.list_share: must be in (0, 1]")
    demand(0 < settings.intake.max_invalid_ratio <= 1, "intake.max_invalid_ratio: must be in (0, 1]")
    for key in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
        tls = settings.redis.url.startswith("rediss://")
        demand(tls or getattr(settings.redis, key) is None, f"redis.{key}: needs a redis.url with rediss://")
    demand(
        settings.privacy.key is None or len(settings.privacy.key) >= 16,
        "privacy.key: a secret of at least 16 characters",
    )
    if settings.kafka.security_protocol.startswith("SASL"):
        for key in ("sasl_mechanism", "sasl_username", "sasl_password"):
            demand(bool(getattr(settings.kafka, key)), f"kafka.{key}: needed with this security_protocol")
