"""Apache Kafka over TLS, with client certificates and every login: check, produce and run; one clear line where it is
refused."""

from __future__ import annotations

import base64
import json
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, NamedTuple

import pytest

from consumers.demo.embedded_servers import HOST, Server
from tests.support.kafka.apache_kafka import Address
from tests.support.kafka.certificates import Authority
from tests.support.kafka.kafka_properties import PASSWORD, USER
from tests.support.service.running import Running, wait_for
from tests.support.service.service_world import DOMAINS, World

WRONG = "wrong-horse-of-another"
SILENT = "a port that takes connections and says nothing"


class Case(NamedTuple):
    """A listener, and how to log in there."""

    listener: str
    protocol: str
    mechanism: str | None = None
    client_certificate: bool = False


CASES = {
    "tls": Case("TLS", "SSL"),
    "client-certificate": Case("MUTUAL", "SSL", client_certificate=True),
    "plain": Case("SASLTLS", "SASL_SSL", "PLAIN"),
    "scram-256": Case("SASL", "SASL_PLAINTEXT", "SCRAM-SHA-256"),
    "scram-512": Case("SASLTLS", "SASL_SSL", "SCRAM-SHA-512"),
    "token": Case("SASLTLS", "SASL_SSL", "OAUTHBEARER"),
    "expired": Case("EXPIRED", "SSL"),
    "another name": Case("ELSEWHERE", "SSL"),
}
BOTH_KEYS = "kafka.ssl_certfile and kafka.ssl_keyfile"
REFUSED = f"refuses the user {USER} or the password"
REFUSALS: dict[str, tuple[str, dict[str, str], str]] = {
    "no authority": ("tls", {"SSL_CAFILE": ""}, "kafka.ssl_cafile"),
    "no certificate": ("client-certificate", {"SSL_CERTFILE": "", "SSL_KEYFILE": ""}, BOTH_KEYS),
    "a stranger's certificate": ("client-certificate", {"SSL_CERTFILE": "stranger"}, BOTH_KEYS),
    "an expired certificate": ("expired", {}, "Its certificate has expired"),
    "a certificate for another name": ("another name", {}, "Its certificate is for another name"),
    "wrong password, plain": ("plain", {"SASL_PASSWORD": WRONG}, REFUSED),
    "wrong password, scram": ("scram-256", {"SASL_PASSWORD": WRONG}, REFUSED),
    "wrong password, scram over TLS": ("scram-512", {"SASL_PASSWORD": WRONG}, REFUSED),
    "nobody": ("scram-256", {"SASL_USERNAME": "nobody"}, "refuses the user nobody"),
    "a token that has expired": ("token", {"SASL_OAUTH_TOKEN_FILE": "old"}, "refuses the token"),
    "another mechanism": ("scram-512", {"SASL_MECHANISM": "SCRAM-SHA-256"}, "kafka.sasl_mechanism"),
    "no TLS": ("tls", {"SECURITY_PROTOCOL": "PLAINTEXT"}, "kafka.security_protocol"),
    "TLS where there is none": ("scram-256", {"SECURITY_PROTOCOL": "SASL_SSL"}, "kafka.security_protocol"),
    "silence": ("tls", {"BOOTSTRAP_SERVERS": SILENT}, "Handshake failed: no answer"),
    "no login": ("scram-256", {"SECURITY_PROTOCOL": "PLAINTEXT"}, "kafka.security_protocol"),
}
"""A case: its name, the changed settings, and what the error must name."""


def token(seconds: float) -> str:
    """Make an unsigned token of USER that expires after this many seconds."""
    now = time.time()
    claims = {"sub": USER, "iat": now - 60, "exp": now + seconds}
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "none"}, claims)
    ]
    return b".".join(parts).decode() + "."


def environ(case: Case, kafka: Address, folder: Path, **changed: str) -> dict[str, str]:
    """Return Kafka's security settings, with secrets in files. "" in `changed` removes a key."""
    (folder / "password").write_text(f"{PASSWORD}\n")
    (folder / "token").write_text(token(3600))
    (folder / "old").write_text(token(-30))
    values = {"SECURITY_PROTOCOL": case.protocol}
    if case.protocol.endswith("SSL"):
        values["SSL_CAFILE"] = str(kafka.authority.cert)
    if case.client_certificate:
        own = kafka.authority.pair("client")
        values |= {"SSL_CERTFILE": str(own.cert), "SSL_KEYFILE": str(own.key)}
    if case.mechanism == "OAUTHBEARER":
        values |= {"SASL_MECHANISM": case.mechanism, "SASL_OAUTH_TOKEN_FILE": str(folder / "token")}
    elif case.mechanism:
        values |= {"SASL_MECHANISM": case.mechanism, "SASL_USERNAME": USER}
        values |= {} if "SASL_PASSWORD" in changed else {"SASL_PASSWORD_FILE": str(folder / "password")}
    if changed.get("SASL_OAUTH_TOKEN_FILE"):
        changed["SASL_OAUTH_TOKEN_FILE"] = str(folder / changed["SASL_OAUTH_TOKEN_FILE"])
    if changed.get("SSL_CERTFILE"):
        stranger = Authority(folder)
        stranger.make()
        pair = stranger.pair("client")
        changed |= {"SSL_CERTFILE": str(pair.cert), "SSL_KEYFILE": str(pair.key)}
    return {f"CROSSCURRENT_KAFKA__{key}": value for key, value in (values | changed).items() if value}


def address(server: socket.socket) -> str:
    """Return the listener as a value of `kafka.bootstrap_servers`."""
    return json.dumps([f"{HOST}:{server.getsockname()[1]}"])


@pytest.mark.parametrize("name", ["client-certificate", "plain", "scram-256", "token"])
def test_events_are_learned(
    name: str,
    tmp_path: Path,
    apache: Address,
    redis_store: Any,
    topic_prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Events are learned, and no output holds a secret."""
    world = World(tmp_path, apache.bootstrap, redis_store.url, topic_prefix)
    env = environ(CASES[name], apache, tmp_path)
    env["CROSSCURRENT_KAFKA__BOOTSTRAP_SERVERS"] = json.dumps([apache.at(CASES[name].listener)])
    for key, value in env.items():
        monkeypatch.setenv(key, value)
    world.fill(20)
    world.service.start("--debug")
    try:
        world.service.wait_until_ready()
        wait_for(lambda: world.learned() == 20, why="20 events learned")
        assert world.service.stop() == 0
    finally:
        world.close()
    said = world.service.log.read_text()
    assert PASSWORD not in said
    assert (tmp_path / "token").read_text() not in said


@pytest.fixture(scope="module")
def refused(
    tmp_path_factory: pytest.TempPathFactory, apache: Address, redis_store: Server
) -> dict[str, CompletedProcess[str]]:
    """Return what `run` says of each refusal. All run at once, because each waits for a broker to start."""

    silent = socket.create_server((HOST, 0))
    elsewhere = address(silent)

    def said(name: str) -> CompletedProcess[str]:
        case, changed, _ = REFUSALS[name]
        folder = tmp_path_factory.mktemp("run")
        service = Running(folder, apache.at(CASES[case].listener), redis_store.url, "refused", DOMAINS)
        env = os.environ | environ(CASES[case], apache, folder, **changed)
        env |= {key: elsewhere for key, value in env.items() if value == SILENT}
        return service.command("run", "-c", str(service.config), env=env)

    with silent, ThreadPoolExecutor(5) as pool:
        return dict(zip(REFUSALS, pool.map(said, REFUSALS), strict=True))


@pytest.mark.parametrize("name", REFUSALS)
def test_refused(name: str, refused: dict[str, CompletedProcess[str]]) -> None:
    """The exit code is 2, and one line names the key to look at and no secret."""
    done = refused[name]
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "cannot be reached" in done.stderr
    assert REFUSALS[name][2] in done.stderr
    assert WRONG not in done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr


def test_no_command_waits_for_a_silent_port(tmp_path: Path, redis_store: Server) -> None:
    """Other commands than `run`, against a silent TLS port, end with exit code 2 and one line."""
    (tmp_path / "clicks.csv").write_text("user_id,item_id\nu1,b1\n")
    commands = (
        ("simulate",),
        ("replay", str(tmp_path / "clicks.csv"), "--domain", "books", "--no-time"),
        ("forget", "u1"),
        ("dead-letters", "list"),
    )
    service = Running(tmp_path, f"{HOST}:1", redis_store.url, "silent", DOMAINS | {"games": {}})
    with socket.create_server((HOST, 0)) as silent, ThreadPoolExecutor(4) as pool:
        env = os.environ | {
            "CROSSCURRENT_KAFKA__SECURITY_PROTOCOL": "SSL",
            "CROSSCURRENT_KAFKA__BOOTSTRAP_SERVERS": address(silent),
        }
        done = list(pool.map(lambda c: service.command(*c, "-c", str(service.config), env=env), commands))
    for ended in done:
        assert ended.returncode == 2, ended
        assert "Handshake failed: no answer" in ended.stderr, ended
