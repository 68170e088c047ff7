"""Kafka over TLS, with client certificates, SASL PLAIN and SCRAM: check, produce and run; one clear line where it is
refused."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from subprocess import CompletedProcess
from typing import NamedTuple, NoReturn

import pytest
from kafka import KafkaProducer

from consumers.demo.embedded_servers import HOST, NotInstalledError, Server
from tests.support.running import Running, wait_for
from tests.support.sasl import DeniedError, Scram
from tests.support.secure_broker import SecureBroker
from tests.support.secure_store import PASSWORD, USER
from tests.support.service_world import DOMAINS

WRONG = "wrong-horse-of-another"
SILENT = "a port that takes connections and says nothing"


class Case(NamedTuple):
    protocol: str
    mechanism: str | None = None
    client_certificates: bool = False


CASES = {
    "tls": Case("SSL"),
    "client-certificate": Case("SSL", client_certificates=True),
    "plain": Case("SASL_SSL", "PLAIN"),
    "scram-256": Case("SASL_PLAINTEXT", "SCRAM-SHA-256"),
    "scram-512": Case("SASL_SSL", "SCRAM-SHA-512"),
}
REFUSALS = {
    "no authority": ("tls", {"SSL_CAFILE": ""}, "kafka.ssl_cafile"),
    "no certificate": ("client-certificate", {"SSL_CERTFILE": "", "SSL_KEYFILE": ""}, "kafka.ssl_certfile"),
    "wrong password, plain": ("plain", {"SASL_PASSWORD": WRONG}, "user or the password"),
    "wrong password, scram": ("scram-512", {"SASL_PASSWORD": WRONG}, "user or the password"),
    "nobody": ("scram-256", {"SASL_USERNAME": "nobody"}, "user or the password"),
    "another mechanism": ("scram-256", {"SASL_MECHANISM": "PLAIN"}, "kafka.sasl_mechanism"),
    "no TLS": ("tls", {"SECURITY_PROTOCOL": "PLAINTEXT"}, "kafka.security_protocol"),
    "TLS where there is none": ("scram-256", {"SECURITY_PROTOCOL": "SASL_SSL"}, "kafka.security_protocol"),
    "silence": ("tls", {"BOOTSTRAP_SERVERS": SILENT}, "Handshake failed: no answer"),
    "no login": ("scram-256", {"SECURITY_PROTOCOL": "PLAINTEXT"}, "kafka.security_protocol"),
}
"""What is asked for: the case, what differs from it, and what the error must name."""


@pytest.fixture(scope="module")
def brokers(
    tmp_path_factory: pytest.TempPathFactory, missing: Callable[[object], NoReturn]
) -> Iterator[dict[str, SecureBroker]]:
    """One a case, and beside its certificate the password."""
    with ExitStack() as stack:
        made = {}
        for name, case in CASES.items():
            mechanisms = [case.mechanism] if case.mechanism else []
            folder = tmp_path_factory.mktemp(name)
            (folder / "password").write_text(f"{PASSWORD}\n")
            broker = SecureBroker(folder, case.protocol, mechanisms, case.client_certificates)
            stack.callback(broker.stop)
            try:
                made[name] = broker.start()
            except NotInstalledError as error:
                missing(error)
        yield made


def environ(case: Case, broker: SecureBroker, **changed: str) -> dict[str, str]:
    """What the config has of Kafka's security, the password from a file; "" in `changed` takes a key away."""
    values = {"SECURITY_PROTOCOL": case.protocol}
    if case.protocol.endswith("SSL"):
        values["SSL_CAFILE"] = str(broker.cert)
    if case.client_certificates:
        values |= {"SSL_CERTFILE": str(broker.cert), "SSL_KEYFILE": str(broker.key)}
    if case.mechanism:
        values |= {"SASL_MECHANISM": case.mechanism, "SASL_USERNAME": USER}
        values |= (
            {} if "SASL_PASSWORD" in changed else {"SASL_PASSWORD_FILE": str(broker.cert.parent / "password")}
        )
    return {f"CROSSCURRENT_KAFKA__{key}": value for key, value in (values | changed).items() if value}


def address(server: socket.socket) -> str:
    """As a value of `kafka.bootstrap_servers`."""
    return json.dumps([f"{HOST}:{server.getsockname()[1]}"])


@pytest.fixture
def service_of(
    tmp_path: Path,
    brokers: dict[str, SecureBroker],
    redis_store: Server,
    topic_prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], Running]:
    """Makes the service of a case, with its keys in the environment; not started."""

    def make(name: str) -> Running:
        for key, value in environ(CASES[name], brokers[name]).items():
            monkeypatch.setenv(key, value)
        return Running(tmp_path, brokers[name].bootstrap, redis_store.url, topic_prefix, DOMAINS)

    return make


@pytest.mark.parametrize("name", ["client-certificate", "plain", "scram-256"])
def test_events_are_learned(
    name: str, brokers: dict[str, SecureBroker], service_of: Callable[[str], Running], topic_prefix: str
) -> None:
    """Topics are made, events come in and are learned; what is told holds no password."""
    broker, service = brokers[name], service_of(name)
    checked = service.command("check", "-c", str(service.config), "--create-topics")
    assert checked.returncode == 0, checked.stdout
    with KafkaProducer(**broker.client()) as producer:
        for n in range(20):
            event = {"type": "rating", "user_id": f"u{n % 3}", "item_id": f"b{n}", "value": 4}
            producer.send(
                f"interactions.{topic_prefix}.books",
                key=f"u{n % 3}".encode(),
                value=json.dumps(event).encode(),
            )
        producer.flush()
    service.start("--debug")
    try:
        service.wait_until_ready()
        wait_for(lambda: service.metric("crosscurrent_events_total") == 20, why="20 events learned")
        assert service.stop() == 0
    finally:
        service.kill()
    assert PASSWORD not in service.log.read_text() + checked.stdout + checked.stderr


def test_a_broker_that_falls_silent_is_found_again(
    brokers: dict[str, SecureBroker], service_of: Callable[[str], Running], topic_prefix: str
) -> None:
    """Connections end, the next ones hear nothing and stay open: once others are answered the events go on."""
    broker, service, topic = brokers["tls"], service_of("tls"), f"interactions.{topic_prefix}.books"
    service.command("check", "-c", str(service.config), "--create-topics")

    def send(item: str) -> None:
        with KafkaProducer(**broker.client()) as producer:
            producer.send(topic, json.dumps({"type": "click", "user_id": "u", "item_id": item}).encode())

    service.start()
    taken: list[socket.socket] = []
    try:
        service.wait_until_ready()
        send("b1")
        wait_for(lambda: service.metric("crosscurrent_events_total") == 1, why="the first event")
        with broker.front.silence() as taken:
            wait_for(lambda: taken, why="the service tries again")
        send("b2")
        wait_for(lambda: service.metric("crosscurrent_events_total") == 2, why="the second event")
        assert service.stop() == 0
    finally:
        service.kill()
        for connection in taken:
            connection.close()


@pytest.fixture(scope="module")
def refused(
    tmp_path_factory: pytest.TempPathFactory, brokers: dict[str, SecureBroker], redis_store: Server
) -> dict[str, CompletedProcess[str]]:
    """What `run` says of each refusal; all at once, since each waits for as long as a broker may take to come up."""

    silent = socket.create_server((HOST, 0))
    elsewhere = address(silent)

    def said(name: str) -> CompletedProcess[str]:
        case, changed, _ = REFUSALS[name]
        broker = brokers[case]
        service = Running(
            tmp_path_factory.mktemp("run"), broker.bootstrap, redis_store.url, "refused", DOMAINS
        )
        env = os.environ | environ(CASES[case], broker, **changed)
        env |= {key: elsewhere for key, value in env.items() if value == SILENT}
        return service.command("run", "-c", str(service.config), env=env)

    with silent, ThreadPoolExecutor(5) as pool:
        return dict(zip(REFUSALS, pool.map(said, REFUSALS), strict=True))


@pytest.mark.parametrize("name", REFUSALS)
def test_refused(name: str, refused: dict[str, CompletedProcess[str]]) -> None:
    """Exit code 2 and one line that names the key to look at, and no secret."""
    done = refused[name]
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "cannot be reached" in done.stderr
    assert REFUSALS[name][2] in done.stderr
    assert WRONG not in done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr


def test_no_command_waits_for_a_silent_port(tmp_path: Path, redis_store: Server) -> None:
    """Those that `run` is not, against a port that takes TLS connections and says nothing: exit code 2, one line."""
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


def test_scram_of_the_front() -> None:
    """The exchange of RFC 7677, section 3, word for word; a changed proof is denied."""
    nonce, salt = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", b"[m\x99h\x9d\x125\x8e\xec\xa0K\x14\x126\xfa\x81"
    first = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    final = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p="
    proof = b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    login = Scram({"user": "pencil"}, "SCRAM-SHA-256", nonce, salt)
    assert login.answer(first) == (
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    )
    assert login.answer(final + proof) == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    assert login.done
    other = Scram({"user": "pencil"}, "SCRAM-SHA-256", nonce, salt)
    other.answer(first)
    with pytest.raises(DeniedError):
        other.answer(final + b"A" + proof[1:])
    assert not other.done
