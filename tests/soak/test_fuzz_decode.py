"""Give the decoder a million hostile payloads: it answers each, soon, and memory does not grow."""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.events.record import Record
from tests.support.decoding import (
    DECODER,
    FIELDS,
    KEYS,
    MARK,
    NOW,
    SETTINGS,
    TIMES,
    TOPICS,
    check,
    event,
    item,
)

pytestmark = [pytest.mark.soak, pytest.mark.timeout(7200)]

PAYLOADS = 1_000_000
SLOW_SECONDS = 1.0
"""Most seconds of CPU for a payload: the machine may be busy with other work."""
GROWTH_KB = 20_000
TOKENS = [
    b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\\u0000", b"\\ud800", b"\xff", b"\xc3", b"\x00", b"NaN", b"-0",
    b"1e999", b"-1e-999", b"9" * 400, b"null", b"true", b'"user_id":', b'"value":', b"[" * 2000, b'{"a":' * 2000,
    b" " * 5000,
]  # fmt: skip
SEEDS = [
    event(context={"a": 1, "b": "x"}),
    event(type="click", event_id="e", timestamp=NOW),
    item(title="t", text="x" * 50, vectors={"a": [1, 2.5]}),
    json.dumps({"timestamp": NOW, "key": ""}).encode(),
    b"",
]


def damaged(rng: random.Random) -> bytes:
    """Return a valid payload after up to eight cuts, repeats, flips, and insertions that break parsers."""
    value = bytearray(rng.choice(SEEDS))
    for _ in range(rng.randrange(9)):
        at, length = rng.randrange(len(value) + 1), rng.randrange(8)
        match rng.randrange(4):
            case 0:
                del value[at : at + length]
            case 1:
                value[at:at] = rng.choice(TOKENS)
            case 2:
                value[at:at] = value[at : at + 5 * length]
            case _:
                value[at : at + length] = rng.randbytes(length)
    return bytes(value)


def test_a_million_damaged_payloads() -> None:
    """There is no exception, none takes a second, and memory does not grow after the first tenth."""
    rng, topics = random.Random(0), [*SETTINGS.topics(), "elsewhere"]
    slowest, after_warm_up = 0.0, 0
    for n in range(PAYLOADS):
        key = rng.choice([b"u", None, MARK.encode(), b"\xff"])
        record = Record(rng.choice(topics), 0, n, rng.choice([NOW, -1, 2**62]), key, damaged(rng))
        begun = time.thread_time()
        decoded = DECODER.decode(record)
        slowest = max(slowest, time.thread_time() - begun)
        check(decoded)
        if n == PAYLOADS // 10:
            after_warm_up = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - after_warm_up
    print(f"{PAYLOADS:,} payloads, slowest {1000 * slowest:.1f} ms, grown by {grown} KB")  # noqa: T201  the soak's report
    assert slowest < SLOW_SECONDS
    assert grown < GROWTH_KB


@settings(max_examples=20_000, deadline=None)
@given(st.binary(max_size=400) | FIELDS.map(lambda fields: json.dumps(fields).encode()), TOPICS, KEYS, TIMES)
def test_many_built_payloads(value: bytes, topic: str, key: bytes | None, timestamp: int) -> None:
    """The law of the unit tests holds for two hundred times as many payloads."""
    check(DECODER.decode(Record(topic, 0, 0, timestamp, key, value)))


@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not installed: pip install atheris")
def test_atheris_finds_nothing(tmp_path: Path) -> None:
    """A million coverage-guided runs from the valid payloads end within 5 s and 2 GB each."""
    for n, seed in enumerate(SEEDS):
        (tmp_path / str(n)).write_bytes(seed)
    limits = [f"-runs={PAYLOADS}", "-timeout=5", "-rss_limit_mb=2048", "-max_len=4096"]
    line = [sys.executable, "-m", "tests.soak.atheris_decode", *limits, str(tmp_path)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
