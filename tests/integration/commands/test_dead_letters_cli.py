"""`crosscurrent dead-letters` on a real broker: what is listed, shown and sent back, once."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer

from consumers.cli.main import _run, cli
from consumers.config.schema import KafkaConfig
from consumers.dead_letters.kafka_sink import KafkaSink
from consumers.dead_letters.sink import DeadLetter, dead_letter
from consumers.dead_letters.topic_reader import LetterLog
from consumers.events.record import Record

T0 = 1_700_000_000_000


def rating(n: int, value: float = 4) -> bytes:
    """Return the value of a record, which the service takes if the rating is from 1 to 5."""
    return b'{"type": "rating", "user_id": "u%d", "item_id": "i", "value": %g}' % (n, value)


class Desk:
    """A dead-letter topic of two partitions, source topics, and the command."""

    def __init__(self, folder: Path, bootstrap: str, prefix: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.bootstrap, self.capsys, self.folder = bootstrap, capsys, folder
        self.dead, self.source = f"{prefix}.dead", f"interactions.{prefix}"
        self.create(self.dead)
        self.create(self.source)
        self.config = folder / "c.toml"
        self.config.write_text(
            f'[kafka]\nbootstrap_servers = ["{bootstrap}"]\ndead_letter_topic = "{self.dead}"\n'
            'security_protocol = "PLAINTEXT"\nsasl_password = "hunter2"\n[redis]\nurl = "redis://:hunter2@h/0"\n'
            f'[domains.x]\ninteractions_topic = "{self.source}"\nrating_range = [1, 5]\n'
        )

    def create(self, topic: str, **configs: str) -> None:
        """Create a topic of two partitions whose records do not expire, although their times lie years back."""
        made = {"num_partitions": 2, "replication_factor": 1, "configs": {"retention.ms": "-1"} | configs}
        with KafkaAdminClient(bootstrap_servers=self.bootstrap) as admin:
            admin.create_topics({topic: made}, wait_for_metadata=True)

    def fill(self, *letters: DeadLetter) -> None:
        """Send letters through the service's own sink."""
        sink = KafkaSink(KafkaConfig([self.bootstrap], dead_letter_topic=self.dead))
        for letter in letters:
            sink.send(letter)
            assert sink.wait(sink.sent, 30.0)
        sink.close()

    def letter(self, offset: int, reason: Any = "out_of_range", **fields: Any) -> DeadLetter:
        record = Record(self.source, offset % 2, offset, T0 + offset, b"u%d" % offset, rating(offset))
        return dead_letter(record._replace(**fields), reason, "value: found [9], allowed: 1 to 5")

    def run(self, *words: str) -> tuple[int, str]:
        """Return the exit code and the output."""

        def command(standalone_mode: bool) -> Any:
            return cli(["dead-letters", *words, "-c", str(self.config)], standalone_mode=standalone_mode)

        self.capsys.readouterr()
        code = _run(command)
        said = "".join(self.capsys.readouterr())
        assert "hunter2" not in said
        return code, said

    def figures(self, *words: str) -> Any:
        out = self.folder / "figures.json"
        self.run(*words, "--json", str(out))
        return json.loads(out.read_text())

    def ids(self) -> dict[str, str]:
        """Map each source place to its letter id."""
        return {line["source"]: line["id"] for line in self.figures("list", "--limit", "100")["latest"]}

    def records(self, topic: str | None = None) -> list[Any]:
        """Return all records of a topic, read as letters are."""
        with LetterLog(KafkaConfig([self.bootstrap], dead_letter_topic=topic or self.source)) as log:
            return list(log.read())


@pytest.fixture
def desk(tmp_path: Path, bootstrap: str, topic_prefix: str, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, bootstrap, topic_prefix, capsys)


def test_an_empty_topic(desk: Desk) -> None:
    """An empty topic is no error for any of the three commands."""
    assert desk.run("list") == (0, "no dead letters\n")
    code, said = desk.run("show", "0:0")
    assert (code, "0:0: no such letter" in said) == (1, True)
    assert desk.run("replay") == (0, "sent: 0; sent back before: 0; not sent: 0\n")


def test_list_counts_by_topic_partition_and_reason(desk: Desk) -> None:
    """Groups with counts and first and last time; the latest letters, newest last; filters narrow both."""
    desk.fill(*[desk.letter(n, "bad_id" if n == 4 else "out_of_range") for n in range(9)])
    found = desk.figures("list", "--limit", "3")
    groups = [
        (g["partition"], g["reason"], g["count"], g["first_ms"] - T0, g["last_ms"] - T0)
        for g in found["groups"]
    ]
    assert groups == [
        ("0", "bad_id", 1, 4, 4),
        ("0", "out_of_range", 4, 0, 8),
        ("1", "out_of_range", 4, 1, 7),
    ]
    assert [line["source"] for line in found["latest"]] == [f"{desk.source}:{n % 2}:{n}" for n in (6, 7, 8)]
    assert desk.figures("list", "--reason", "bad_id")["groups"][0]["count"] == 1
    assert desk.figures("list", "--topic", "another") == {"reasons": [], "groups": [], "latest": []}
    totals = [(t["reason"], t["count"], t["last_ms"] - T0) for t in found["reasons"]]
    assert totals == [("out_of_range", 8, 8), ("bad_id", 1, 4)]
    said = desk.run("list")[1]
    first, meaning = said.splitlines()[1].split()[:2], "a value outside the domain's rating_range"
    assert first == ["out_of_range", "8"]  # totals come before everything else
    assert meaning in " ".join(said.split())
    assert "2023-11-14 22:13:20Z" in said


def test_list_of_many(desk: Desk) -> None:
    """All letters are counted, also when one poll does not hold them."""
    with KafkaProducer(bootstrap_servers=desk.bootstrap) as producer:
        for n in range(12_000):
            made = desk.letter(n)
            producer.send(desk.dead, made.value, made.key, made.headers)
    assert sum(g["count"] for g in desk.figures("list")["groups"]) == 12_000


def test_a_letter_ahead_of_the_clock_stays(desk: Desk) -> None:
    """A letter with a future time would be rejected again, so it stays; the line says what to do instead."""
    desk.fill(desk.letter(0, "future_timestamp", timestamp=T0 * 1000), desk.letter(1))
    code, said = desk.run("replay")
    assert code == 1
    assert "in the future" in said
    assert "sent: 1;" in said


def test_show_prints_headers_and_the_raw_value(desk: Desk) -> None:
    """UTF-8 as text, anything else as a hex dump; a wrong id is exit code 2, one that is not there 1."""
    desk.fill(desk.letter(0, value="näh".encode()), desk.letter(1, "not_utf8", value=b"\xff\x00ab"))
    ids = desk.ids()
    code, said = desk.run("show", ids[f"{desk.source}:0:0"])
    assert code == 0
    detail = "detail: value: found [9], allowed: 1 to 5"
    assert f"reason: out_of_range\n{detail}\ntopic: {desk.source}\npartition: 0\noffset: 0\n" in said
    assert said.endswith("key\nu0\n\nvalue\nnäh\n")
    assert "ff 00 61 62" in desk.run("show", ids[f"{desk.source}:1:1"])[1]
    assert desk.run("show", "7")[0] == 2
    assert desk.run("show", "0:999")[0] == desk.run("show", "9:0")[0] == 1


def test_replay_sends_raw_bytes_back_once(desk: Desk) -> None:
    """Key, value, partition and time are the source record's; a second replay sends nothing, and list says so."""
    desk.fill(desk.letter(2, value=b"\xff\x00"), desk.letter(3, key=None), desk.letter(5, value=None))
    code, said = desk.run("replay", "--force")
    assert (code, said.count("sent back to")) == (0, 3)
    got = sorted((r.timestamp - T0, r.id[0], r.key, r.value) for r in desk.records())
    assert got == [(2, 0, b"u2", b"\xff\x00"), (3, 1, None, rating(3)), (5, 1, b"u5", None)]
    again = desk.run("replay")
    assert (again[0], again[1].splitlines()[-1]) == (0, "sent: 0; sent back before: 3; not sent: 0")
    assert len(desk.records()) == 3
    found = desk.figures("list")
    assert sum(g["replayed"] for g in found["groups"]) == sum(g["count"] for g in found["groups"]) == 3
    assert all(line["replayed"] for line in found["latest"])
    marks = [r for r in desk.records(desk.dead) if "replayed" in r.headers]
    assert sorted(m.headers["replayed"] for m in marks) == [f"{desk.source}:{n % 2}:{n}" for n in (2, 3, 5)]


def test_a_record_with_two_letters_is_sent_once(desk: Desk) -> None:
    """After a crash a record may have two letters with equal headers. It is sent back once."""
    desk.fill(desk.letter(1), desk.letter(1))
    assert "sent: 1; sent back before: 1;" in desk.run("replay")[1]
    assert len(desk.records()) == 1


def test_replay_narrowed(desk: Desk) -> None:
    """Reason, topic and id narrow a replay. A dry run sends and marks nothing. An unknown id is exit code 1."""
    desk.fill(desk.letter(0), desk.letter(1, "bad_id"), desk.letter(2))
    ids = desk.ids()
    assert "sent: 0;" in desk.run("replay", "--topic", "another")[1]
    dry = desk.run("replay", "--reason", "out_of_range", "--dry-run")
    assert dry[1].endswith("would be sent: 2; sent back before: 0; not sent: 0\n")
    assert desk.records() == []
    assert desk.run("replay", ids[f"{desk.source}:0:2"])[0] == 0
    assert [r.value for r in desk.records()] == [rating(2)]
    assert "sent: 1; sent back before: 1;" in desk.run("replay", "--reason", "out_of_range")[1]
    code, said = desk.run("replay", "0:999")
    assert (code, "0:999: no such letter" in said) == (1, True)
    assert desk.run("replay", "x")[0] == 2
    assert desk.run("replay", "--reason", "nonsense")[0] == 2


def test_a_letter_that_would_become_one_again_stays(desk: Desk) -> None:
    """It is named with the reason it has under the present config. After a fix, or by force, it is sent."""
    desk.fill(desk.letter(0, value=rating(0, 9)), desk.letter(2))
    wrong = desk.ids()[f"{desk.source}:0:0"]
    line = f"{wrong}: not sent: would become a dead letter again: out_of_range: value: found 9, allowed: a number from"
    for words, begin in ((("--dry-run",), "would be sent: 1"), ((), "sent: 1")):
        code, said = desk.run("replay", *words)
        assert (code, line in said, f"\n{begin}; " in said) == (1, True, True)
        assert "not sent: 1\nwould become dead letters again: 1. Mend" in said
    assert [r.value for r in desk.records()] == [rating(2)]
    assert desk.figures("replay", "--dry-run")["unmended"] == 1
    assert "would be sent: 1;" in desk.run("replay", "--dry-run", "--force")[1]
    desk.config.write_text(desk.config.read_text().replace("[1, 5]", "[1, 10]"))
    assert desk.run("replay")[0] == 0
    assert [r.value for r in desk.records()] == [rating(2), rating(0, 9)]
    assert "sent: 0; sent back before: 2;" in desk.run("replay", "--force")[1]


def test_a_letter_whose_schema_cannot_be_had_ends_the_replay(desk: Desk) -> None:
    """Nobody knows whether the service would take it; --force sends it without a look."""
    text = desk.config.read_text().replace("rating_range = [1, 5]", 'interactions = { format = "avro" }')
    desk.config.write_text(f'{text}[schema_registry]\nurl = "http://127.0.0.1:1"\n')
    desk.fill(desk.letter(0, "unknown_schema", value=b"\0\0\0\0\1v"))
    code, said = desk.run("replay")
    assert code == 2
    assert "cannot be decoded now: the schema registry at http://127.0.0.1:1 gives no schema" in said
    assert "--force sends" in said
    assert "sent: 1;" in desk.run("replay", "--force")[1]


def test_what_cannot_go_back_is_refused_with_a_line(desk: Desk) -> None:
    """Cut values, null records, letters of a topic that is gone and foreign records: exit 1, others are sent."""
    cut = desk.letter(1, "too_large", value=b"v1")
    cut = cut._replace(headers=[*cut.headers, ("truncated", b"true"), ("length", b"900000")])
    desk.fill(
        desk.letter(0), cut, desk.letter(2, "null_value", key=None, value=None),
        desk.letter(4, topic=f"{desk.dead}.gone"), DeadLetter(b"k", b"v", []),
    )  # fmt: skip
    code, said = desk.run("replay")
    assert code == 1
    assert "only 2 of 900000 bytes were kept" in said
    assert "neither key nor value" in said
    assert "gone does not exist" in said
    assert "not one of our letters" in said
    assert said.endswith("sent: 1; sent back before: 0; not sent: 4\n")
    assert [r.value for r in desk.records()] == [rating(0)]


def test_no_topic_and_no_broker_are_usage_errors(desk: Desk) -> None:
    """The command prints one line and ends with exit code 2."""
    text = desk.config.read_text()
    desk.config.write_text(text.replace(desk.dead, "nowhere"))
    assert desk.run("list") == (2, "crosscurrent: topic nowhere does not exist (kafka.dead_letter_topic)\n")
    desk.config.write_text(text.replace(desk.bootstrap, "127.0.0.1:1"))
    code, said = desk.run("replay")
    assert (code, len(said.splitlines()), "127.0.0.1:1 cannot be reached" in said) == (2, 1, True)


@pytest.mark.parametrize("bootstrap", ["apache"], indirect=True)  # the embedded one has no max.message.bytes
def test_a_letter_that_its_topic_refuses_for_its_size(desk: Desk) -> None:
    """The letter is refused with a line. Other letters, in its chunk and in later ones, are sent back once."""
    source = f"{desk.source}.small"
    desk.create(source, **{"max.message.bytes": "1000"})
    large = {7, 300, 301, 650}
    letters = [desk.letter(n, topic=source, value=noise(3000 if n in large else 30, n)) for n in range(900)]
    with KafkaProducer(bootstrap_servers=desk.bootstrap) as producer:
        for made in letters:
            producer.send(desk.dead, made.value, made.key, made.headers)
    code, said = desk.run("replay", "--force")
    assert (code, said.splitlines()[-1]) == (1, "sent: 896; sent back before: 0; not sent: 4")
    assert said.count("MessageSizeTooLargeError") == 4
    assert sorted(r.timestamp - T0 for r in desk.records(source)) == sorted(set(range(900)) - large)
    again = desk.run("replay", "--force")[1].splitlines()[-1]
    assert again == "sent: 0; sent back before: 896; not sent: 4"


def noise(size: int, seed: int) -> bytes:
    """Return bytes that cannot be compressed."""
    return random.Random(seed).randbytes(size)
