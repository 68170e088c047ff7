"""Tables of every layout become contract records; bad rows are named and affect no other row."""

from __future__ import annotations

import gzip
import itertools
import os
import time
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consumers.datasets.options import ReadOptions
from consumers.datasets.problems import BadRow, TableError
from consumers.datasets.table_file import TableFile
from tests.support.store.scanning import decoded, read

NOON = 1_700_000_000_000


def test_contract_events_keep_all_they_carry(tmp_path: Path) -> None:
    """event_id, context, availability and vectors are kept; a click's value is dropped."""
    values, bad = read(
        tmp_path / "interactions.movies.jsonl",
        '{"type":"rating","user_id":"u","item_id":"i","value":3,"timestamp":1700000000000,"event_id":"e",'
        '"context":{"device":"tv"}}\n'
        '{"type":"click","user_id":"u","item_id":"i","value":3,"timestamp":1700000000000}\n'
        '{"type":"rating","user_id":"u","item_id":"i","timestamp":1700000000000}\n',
    )
    assert values == [
        {
            "type": "rating", "user_id": "u", "item_id": "i", "value": 3.0, "timestamp": NOON, "event_id": "e",
            "context": {"device": "tv"},
        },
        {"type": "click", "user_id": "u", "item_id": "i", "timestamp": NOON},
    ]  # fmt: skip
    assert [b.partition(",")[0] for b in bad] == ["3: rating is empty"]
    item = '{"item_id":"i","title":"T","available":false,"vectors":{"image":[1.0,2.0]}}'
    values, _ = read(tmp_path / "items.jsonl", item)
    assert values == [msgspec.json.decode(item)]


def test_parquet(tmp_path: Path) -> None:
    """Parquet's typed columns are read: numbers as ids, timestamps, nulls; rows are numbered from 1."""
    table = pa.table(
        {
            "user_id": pa.array([1, 2, None]),
            "item_id": pa.array(["007", "b", "c"]),
            "rating": pa.array([4.5, None, float("nan")]),
            "timestamp": pa.array(
                [datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)] * 3, pa.timestamp("us", "UTC")
            ),
            "extra": pa.array([1, 2, 3]),
        }
    )
    path = tmp_path / "events.bin"
    pq.write_table(table, path)
    bad: list[BadRow] = []
    got = TableFile(path, "movies")
    assert [v for _, v in decoded(list(got.records(bad.append)))] == [
        {"type": "rating", "user_id": "1", "item_id": "007", "value": 4.5, "timestamp": NOON},
        {"type": "click", "user_id": "2", "item_id": "b", "timestamp": NOON},
    ]
    assert [(b.line, b.reason) for b in bad] == [(3, "user_id is empty")]
    assert got.position == got.size


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1700000000", NOON),
        ("1700000000.25", NOON + 250),
        ("1700000000000", NOON),
        ("1700000000000000", NOON),
        ("1700000000000000000", NOON),
        ("1.7e9", NOON),
        ("2023-11-14T22:13:20Z", NOON),
        ("2023-11-14 22:13:20", NOON),
        ("2023-11-15T00:13:20+02:00", NOON),
        ("2023-11-14", NOON - 80_000_000),
        ("20231114", NOON - 80_000_000),
        ("20231114221320", NOON),
        ("2023-11-14 22:13:20 UTC", NOON),
        ("2023-11-15 00:13:20 +0200", NOON),
        ("2023-11-14T22:13:20+00", NOON),
        ('"2023-11-14 22:13:20,000"', NOON),
        ("2023-11-15T00:13:20+02:00[Europe/Berlin]", NOON),
        ("2023/11/14 10:13:20 PM", NOON),
        ("14/11/2023 22:13:20", NOON),
        ("14.11.2023 22:13:20", NOON),
        ("Tue Nov 14 22:13:20 +0000 2023", NOON),
        ('"Tue, 14 Nov 2023 22:13:20 GMT"', NOON),
        ("14/Nov/2023:22:13:20 +0000", NOON),
        ('"November 14, 2023 10:13:20 PM"', NOON),
    ],
)
def test_times(tmp_path: Path, text: str, ms: int) -> None:
    """Times are s, ms, µs or ns by their size; dates are read in all usual forms, as UTC without a zone."""
    values, bad = read(tmp_path / "t.csv", f"user,item,timestamp\nu,i,{text}\n")
    assert not bad
    assert values[0].get("timestamp") == ms


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("u,i,abc,1700000000", "rating 'abc' is not a number"),
        ("u,i,inf,1700000000", "rating 'inf' is not finite"),
        ("u,i,1e999,1700000000", "rating '1e999' is not finite"),
        ("u,i,3,yesterday", "timestamp 'yesterday' is neither a number nor a date"),
        ("u,i,3,2023-11-14 22:13:20 EST", "is neither a number nor a date"),
        ("u,i,3,03/04/11", "is neither a number nor a date"),
        ("u,i,3,", "timestamp is empty: fill it in, or --no-time"),
        ("u,i,,1700000000", "rating is empty, in a domain that has ratings"),
        ('u,i,"1,234",1700000000', "rating '1,234' is not a number"),
        ("u,i,3,5", "timestamp '5' is before 1973"),
        ("u,i,3,-1700000000", "timestamp '-1700000000' is before 1973"),
        pytest.param(f"u,i,3,{int(time.time()) + 3600}", "is in the future", id="future"),
        ("u,i,3,inf", "is neither a number nor a date"),
        (",i,3,1700000000", "user_id is empty"),
        ("NULL,i,3,1700000000", "user_id is empty"),
        ("9.78E+12,i,3,1700000000", "user_id '9.78E+12' has lost digits"),
        (f"u,{'x' * 257},3,1700000000", "item_id has 257 characters"),
        ("u,i,3", "3 columns instead of 4"),
        ("u,i,3,1700000000,extra", "5 columns instead of 4"),
        ('u,"i\nj,3,1700000000",3', "3 columns instead of 4 in the quoted row down to line 4"),
        (b"u,\xff\xfe,3,1700000000", "item_id is not in the file's encoding: say which"),
        (b"u,i\x00,3,1700000000", "has a zero character"),
        (b"\x00,\x00,\x00", "columns instead of 4"),
    ],
)
def test_a_bad_row_costs_itself_only(tmp_path: Path, row: str | bytes, reason: str) -> None:
    """A bad row is named by its line, and its neighbours are read."""
    row = row if isinstance(row, bytes) else row.encode()
    good = b"u1,i1,3,1700000000\n"
    values, bad = read(
        tmp_path / "r.csv", b"user_id,item_id,rating,timestamp\n" + good + row + b"\n\n" + good * 30
    )
    assert len(values) == 31
    assert len(bad) == 1
    assert bad[0].startswith("3: ")
    assert reason in bad[0]


def test_a_bad_json_line_costs_itself_only(tmp_path: Path) -> None:
    """Broken JSON, a list, broken UTF-8 and wrong types are reported by line."""
    good = b'{"user_id":"u","item_id":"i"}\n'
    lines = [good, b'{"user_id":\n', b"[1]\n", b'{"user_id":"\xff","item_id":"i"}\n', good]
    values, bad = read(tmp_path / "r.jsonl", b"".join(lines), no_time=True)
    assert len(values) == 2
    assert [b.split(":")[0] for b in bad] == ["2", "3", "4"]


def test_inch_marks_are_not_quotes(tmp_path: Path) -> None:
    """A quote inside a cell is a plain character, as in careless exports."""
    values, bad = read(tmp_path / "i.csv", 'item_id,title\n1,9" pan\n2,"10"" pan"\n3,"a" b\n')
    assert [v["title"] for v in values] == ['9" pan', '10" pan', "a b"]
    assert not bad


@pytest.mark.parametrize("place", ["middle", "last"])
def test_a_quote_that_is_never_closed_ends_the_reading(tmp_path: Path, place: str) -> None:
    """The text after an open quote is one cell by RFC 4180, so its lines are no rows. The report names the line."""
    row = 'x,"open,1700000000' if place == "middle" else 'x,i,"17'
    rows = "".join(f"u{n},i,1700000000\n" for n in range(100))
    path = tmp_path / "r.csv"
    path.write_text(f"user_id,item_id,timestamp\nu,i,1700000000\n{row}\n{rows}")
    table, bad = TableFile(path, "movies"), list[BadRow]()
    assert [r.line for r in table.records(bad.append)] == [2]
    assert [str(b).partition(": close it")[0] for b in bad] == [
        f"{path}:3: unreadable from here on: a quote is opened here and never closed"
    ]
    assert table.cut is not None


def test_truncated_gzip_keeps_what_was_read(tmp_path: Path) -> None:
    """The cut end of a file is reported as a bad row, not as a crash."""
    rows = b"user_id,item_id\n" + b"".join(b"u%d,i%d\n" % (n * 7919, n * 104729) for n in range(50_000))
    values, bad = read(tmp_path / "r.csv.gz", gzip.compress(rows)[:-20_000], no_time=True)
    assert all(v["item_id"] == f"i{int(v['user_id'][1:]) // 7919 * 104729}" for v in values)
    assert len(values) > 1000
    assert len(bad) == 1
    assert f"{len(values) + 2}: unreadable from here on" in bad[0]


def test_mapping(tmp_path: Path) -> None:
    """--map names columns by name, or by number without a header; other columns are found."""
    text = "buyer;sku;rating;when\nu;i;2;1700000000\n"
    expected = [{"type": "rating", "user_id": "u", "item_id": "i", "value": 2.0, "timestamp": NOON}]
    mapping = {"user_id": "buyer", "item_id": "sku", "timestamp": "when"}
    assert read(tmp_path / "a.csv", text, columns=mapping) == (expected, [])
    bare = {"user_id": "3", "item_id": "1", "rating": "2", "timestamp": "0"}
    assert read(tmp_path / "b.csv", "1700000000,i,2,u\n", columns=bare) == (expected, [])


def test_domains(tmp_path: Path) -> None:
    """--domain names the domain without a column, and selects rows with one; names are checked."""
    path = tmp_path / "r.csv"
    path.write_text("user_id,item_id,domain\nu,i,food\nu,j,kitchen\nu,k,My Shop\nu,l,\n")
    bad: list[BadRow] = []
    options = ReadOptions(no_time=True)
    assert [r.domain for r in TableFile(path, options=options).records(bad.append)] == ["food", "kitchen"]
    assert [b.line for b in bad] == [4, 5]
    table = TableFile(path, "food", options)
    assert [r.domain for r in table.records(bad.append)] == ["food"]
    assert table.skipped.total() == 3
    with pytest.raises(TableError, match="a-z"):
        TableFile(path, "My Shop")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        (
            "a,b\n1,2\n",
            "no column for item_id and user_id among a, b; name the columns: --map item_id=COLUMN",
        ),
        ("movieId,x\n1,2\n", "no column for user_id .* or --map title=COLUMN if these are items"),
        ("71,501,3\n72,501,3\n", "holds values, not names .0: 71, 1: 501, 2: 3.; say .* --map user_id=0"),
        ("user^item\n1^2\n", "one column only, 'user.item': say .* --delimiter"),
        ('{"data":[{"user_id":"u"}]}', "rows are in the list 'data'; .*jq"),
    ],
)
def test_unknown_tables_say_what_to_do(tmp_path: Path, text: str, message: str) -> None:
    """The error names the columns there are."""
    with pytest.raises(TableError, match=message):
        read(tmp_path / "x.csv", text)


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    """A missing file, a folder, a broken gzip or Parquet file, and no domain are errors."""
    (tmp_path / "x.gz").write_bytes(b"\x1f\x8bnot really")
    (tmp_path / "x.parquet").write_bytes(b"PAR1nonsense")
    for name in ("missing.csv", ".", "x.gz", "x.parquet"):
        with pytest.raises(TableError, match=str(tmp_path)):
            TableFile(tmp_path / name, "movies")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TableError, match="read only once; write it into a file"):
        TableFile(tmp_path / "pipe", "movies")
    with pytest.raises(TableError, match="--domain"):
        read(tmp_path / "r.csv", "user,item\nu,i\n", None, no_time=True)


def test_a_byte_order_mark_and_crlf_are_harmless(tmp_path: Path) -> None:
    """A byte order mark and CRLF, as spreadsheets write them, are read."""
    values, bad = read(tmp_path / "r.csv", b"\xef\xbb\xbfuser_id,item_id\r\nu,i\r\n", no_time=True)
    assert values == [{"type": "click", "user_id": "u", "item_id": "i"}]
    assert not bad


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Rows are streamed, so a long file takes no more memory than a short one."""
    path = tmp_path / "r.csv.gz"
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.write("user_id,item_id,rating,timestamp\n")
        file.writelines(f"u{n % 1000},i{n % 7777},3.5,{1_500_000_000 + n}\n" for n in range(30_000))
    tracemalloc.start()
    try:
        records = TableFile(path, "movies").records(print)
        assert sum(1 for _ in itertools.islice(records, 1000)) == 1000
        early = tracemalloc.get_traced_memory()[1]
        assert sum(1 for _ in records) == 29_000
        assert tracemalloc.get_traced_memory()[1] < early + 500_000
    finally:
        tracemalloc.stop()
