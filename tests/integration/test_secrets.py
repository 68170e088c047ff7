"""A real run with TLS, an ACL user and every secret set shows none of the secrets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from consumers.demo.embedded_servers import free_port
from serving.client import Reader
from serving.client.pseudonyms import Pseudonyms
from tests.support.service.running import wait_for
from tests.support.service.service_world import World
from tests.support.store.secure_store import PASSWORD, USER, SecureStore

KEY = "the-owners-own-privacy-key"
WRONG = "wrong-horse-of-another"
SASL = "sasl-password-of-the-broker"
SECRETS = (PASSWORD, KEY, WRONG, SASL)
PERSON = "person-whom-nothing-may-name"
"""A user, whose id is too long to stand among the bytes of numbers by chance."""


FAILURES = {
    "AuthenticationError": {"REDIS__PASSWORD_FILE": "", "REDIS__PASSWORD": WRONG},
    "not trusted": {"REDIS__SSL_CAFILE": ""},
    "cannot be reached": {
        "REDIS__URL": f"rediss://{USER}:{WRONG}@127.0.0.1:{free_port()}/0?password={WRONG}"
    },
    "Kafka at": {
        "KAFKA__SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "KAFKA__SASL_MECHANISM": "SCRAM-SHA-512",
        "KAFKA__SASL_USERNAME": USER,
        "KAFKA__SASL_PASSWORD": SASL,
    },
}
"""The service's messages by the wrong settings."""


@pytest.fixture
def store(tmp_path: Path, topic_prefix: str) -> Iterator[SecureStore]:
    with SecureStore(tmp_path, topic_prefix) as made:
        yield made


def told(*texts: str) -> list[str]:
    return [secret for secret in SECRETS for text in texts if secret in text]


@pytest.fixture
def secret_world(
    tmp_path: Path, bootstrap: str, topic_prefix: str, store: SecureStore, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """Return a service whose secrets are in the environment and in a file. It is not started."""
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    for name, value in {
        "REDIS__USERNAME": USER,
        "REDIS__PASSWORD_FILE": str(tmp_path / "password"),
        "REDIS__SSL_CAFILE": str(store.cert),
        "PRIVACY__KEY": KEY,
    }.items():
        monkeypatch.setenv(f"CROSSCURRENT_{name}", value)
    world = World(tmp_path, bootstrap, store.url, topic_prefix)
    world.store.close()
    yield world
    world.service.kill()
    world.producer.close()


@pytest.fixture
def admin(store: SecureStore) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(
        store.url,
        username="admin",
        password="administrator",
        ssl_ca_certs=str(store.cert),
        legacy_responses=False,
    ) as client:
        yield client


def test_no_secret_is_told(
    secret_world: World, admin: redis.Redis, store: SecureStore, tmp_path: Path
) -> None:
    """No secret is in logs, metrics, health, checkpoints, --json, keys or values."""
    world, config, figures = secret_world, str(secret_world.service.config), tmp_path / "figures.json"
    world.fill(30)
    world.rate("books", PERSON, "b1", 5.0)
    world.producer.flush()
    world.service.start("--debug")
    world.service.wait_until_ready()
    key = f"{world.prefix}:rec:{{{Pseudonyms(KEY).inside(PERSON)}}}:books"
    wait_for(lambda: admin.exists(key), why="published, under a pseudonym")
    tls = {"username": USER, "password": PASSWORD, "ssl_ca_certs": str(store.cert)}
    assert Reader(store.url, world.prefix, key=KEY, **tls).recommend(PERSON, "books").origin == "personal"
    words = ("recommend", "-c", config, "-u", PERSON, "-d", "books", "--json", str(figures))
    shown = world.service.command(*words)
    assert shown.returncode == 0, shown.stderr
    checked = world.service.command("check", "-c", config)
    assert "ok   store" in checked.stdout, checked.stdout
    answers = [world.service.get(path)[1] for path in ("/metrics", "/healthz", "/readyz")]
    assert "crosscurrent_events_total" in answers[0]
    keys = list(admin.scan_iter(count=1000))
    held = [key + (admin.dump(key) or b"") for key in keys]
    assert keys
    assert not any(PERSON.encode() in one for one in held)
    assert world.service.stop() == 0
    log = world.service.log.read_text()
    assert '"started"' in log
    files = [p for p in (tmp_path / "checkpoints").rglob("*") if p.is_file()]
    assert files
    assert any(p.name == "state.msgpack" for p in files)
    assert not any(PERSON.encode() in p.read_bytes() for p in files)
    assert told(log, *answers, shown.stdout, shown.stderr, checked.stdout, checked.stderr) == []
    assert told(figures.read_text(), *(p.read_bytes().decode("latin-1") for p in files)) == []
    assert told(*(one.decode("latin-1") for one in held)) == []


@pytest.mark.parametrize("why", FAILURES)
def test_no_failure_tells_a_secret(secret_world: World, why: str) -> None:
    """A start with a wrong setting ends with exit code 2 and says what is wrong."""
    changes = {f"CROSSCURRENT_{name}": value for name, value in FAILURES[why].items()}
    env = {name: value for name, value in (os.environ | changes).items() if value or name not in changes}
    service = secret_world.service
    failed = service.command("run", "-c", str(service.config), "--debug", env=env)
    assert failed.returncode == 2, failed.stderr
    assert why in failed.stderr, failed.stderr
    assert told(failed.stdout, failed.stderr) == []
