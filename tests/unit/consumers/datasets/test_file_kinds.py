"""One table in many forms (compressed, encoded, delimited, JSON, Parquet) has the same rows, or is refused."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consumers.datasets.options import Meaning, ReadOptions
from consumers.datasets.problems import TableError
from tests.support.store.scanning import scanned, sent_of

SECONDS = 1_700_000_000
SKIP = Meaning("skip")
TEXT = f"user_id,item_id,rating,timestamp\nu1,i1,5,{SECONDS}\nu2,i2,4.5,{SECONDS + 1}\n"
ROWS = [("u1", "i1", 5.0), ("u2", "i2", 4.5)]
OBJECTS = [
    {"user_id": "u1", "item_id": "i1", "rating": 5, "timestamp": SECONDS},
    {"user_id": "u2", "item_id": "i2", "rating": 4.5, "timestamp": SECONDS + 1},
]


def zipped(**files: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name if name.startswith("__") else name.replace("__", "/"), data)
    return file.getvalue()


def packed(codec: str) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, codec) as out:
        out.write(TEXT.encode())
    return bytes(sink.getvalue())


def parquet(**columns: Any) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return bytes(sink.getvalue())


def read(path: Path, data: bytes | str, **options: Any) -> list[tuple[str, str, float | None]]:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    got = [
        msgspec.json.decode(r.value or b"") for r in sent_of(*scanned([path], "m", ReadOptions(**options)))
    ]
    return [(v["user_id"], v["item_id"], v.get("value")) for v in got]


SAME: dict[str, bytes | str] = {
    "gzip": gzip.compress(TEXT.encode()),
    "bzip2": bz2.compress(TEXT.encode()),
    "xz": lzma.compress(TEXT.encode()),
    "zstd": packed("zstd"),
    "zip with a folder and what a Mac adds": zipped(**{"data__r": TEXT.encode(), "__MACOSX/._r": b"x"}),
    "gzip in a zip": zipped(r=gzip.compress(TEXT.encode())),
    "UTF-8 with a mark": TEXT.encode("utf-8-sig"),
    "UTF-16 with a mark": TEXT.encode("utf-16"),
    "UTF-16-LE without": TEXT.encode("utf-16-le"),
    "UTF-16-BE without": TEXT.encode("utf-16-be"),
    "UTF-32": TEXT.encode("utf-32"),
    "CR alone": TEXT.replace("\n", "\r"),
    "CR LF": TEXT.replace("\n", "\r\n"),
    "tabs": TEXT.replace(",", "\t"),
    "semicolons": TEXT.replace(",", ";"),
    "semicolons and decimal commas": TEXT.replace(",", ";").replace("4.5", "4,5"),
    "pipes": TEXT.replace(",", "|"),
    "double pipes": TEXT.replace(",", "||"),
    "double colons": TEXT.replace(",", "::"),
    "blanks": TEXT.replace(",", " ").replace("u2 i2", "u2   i2"),
    "sep=;": "sep=;\n" + TEXT.replace(",", ";"),
    "blank lines": "\n\n" + TEXT.replace("\nu2", "\n\n,,,\nu2"),
    "comments": "# one\n#two\n" + TEXT.replace("\nu2", "\n# between\n# a,b,c\nu2"),
    "a header in a comment": "#" + TEXT,
    "no final line end": TEXT.rstrip(),
    "quoted": "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in TEXT.splitlines()),
    "RecBole": TEXT.replace("user_id", "user_id:token").replace("rating", "rating:float").replace(",", "\t"),
    "other names": TEXT.replace("user_id,item_id,rating,timestamp", "reviewerID,parent_asin,Review Score,Event Time"),
    "German": TEXT.replace("user_id,item_id,rating,timestamp", "Kunden-ID,Artikel,Bewertung,Zeitstempel"),
    "French": TEXT.replace("user_id,item_id,rating,timestamp", "Utilisateur,Produit,Évaluation,Date"),
    "Chinese": TEXT.replace("user_id,item_id,rating,timestamp", "用户ID,商品ID,评分,时间戳"),
    "JSON Lines": "\n".join(map(json.dumps, OBJECTS)),
    "JSON array": json.dumps(OBJECTS),
    "pretty array": json.dumps(OBJECTS, indent=2),
    "pretty objects": "\n".join(json.dumps(o, indent=1) for o in OBJECTS),
    "Python dicts": "\n".join(map(str, OBJECTS)),
    "JSON with NaN and much besides": "\n".join(json.dumps(o | {"x": float("nan"), "y": {"z": [1]}}) for o in OBJECTS),
    "UTF-16 JSON": "\n".join(map(json.dumps, OBJECTS)).encode("utf-16"),
    "Parquet": parquet(user_id=["u1", "u2"], item_id=["i1", "i2"], rating=[5.0, 4.5], timestamp=[SECONDS, SECONDS + 1]),
    "Parquet, other types": parquet(
        user_id=pa.array(["u1", "u2"]).dictionary_encode(), item_id=pa.array([b"i1", b"i2"], pa.large_binary()),
        rating=pa.array([Decimal("5.00"), Decimal("4.50")]), timestamp=pa.array([date(2024, 1, 1), date(2024, 1, 2)]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", SAME)
def test_the_same_rows_in_every_form(tmp_path: Path, form: str) -> None:
    assert read(tmp_path / "r", SAME[form]) == ROWS


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_one_rule_for_ids(tmp_path: Path, form: str) -> None:
    """42.0 is 42 everywhere, 007 stays 007, 4.2 stays 4.2."""
    ids = [42.0, 7.0, 4.5]
    data: bytes | str = {
        "csv": "user,item,ts\n" + "".join(f"{i},007,{SECONDS}\n" for i in ids),
        "jsonl": "".join(json.dumps({"user": i, "item": "007", "ts": SECONDS}) + "\n" for i in ids),
        "parquet": parquet(user=ids, item=["007"] * 3, ts=[float(SECONDS)] * 3),
    }[form]
    assert read(tmp_path / "r", data) == [("42", "007", None), ("7", "007", None), ("4.5", "007", None)]


def clicks(column: str, *values: str) -> str:
    """Write 30 events with one more column, whose values alternate."""
    rows = (f"u{n},i{n % 3},{SECONDS + n},{values[n % len(values)]}\n" for n in range(30))
    return f"user_id,item_id,timestamp,{column}\n" + "".join(rows)


LATIN = "item_id,title\n1,Amélie\n".encode("latin-1")
HEAD = "user_id,item_id,rating,"
REFUSED: dict[str, tuple[bytes | str, str]] = {
    "two ratings": ("user_id,item_id,score,stars,ts\n", "score and stars can both be the rating"),
    "two times": (f"{HEAD}created_at,event_time\nu,i,3,2020-01-01,2020-01-01\n", "can both be the timestamp"),
    "a name twice": (f"{HEAD}rating,ts\nu,i,3,4,{SECONDS}\n", "rating#1 and rating#2 can both be"),
    "a key twice": ('{"user_id":"u","item_id":"i","rating":5,"rating":1,"ts":1}', "has the key 'rating' twice"),
    "dates in two ways": (f"{HEAD}date\nu,i,3,03/04/2011\n", "03/04/2011 can be read in two ways: say --date-order"),
    "dates in both orders": (
        f"{HEAD}date\nu,i,3,03/24/2011\nu,i,3,25/04/2011\n", "25/04/2011 has the day first, 03/24/2011"
    ),
    "an unknown rating": (clicks("strength", "1", "5"), "strength looks like one: it holds numbers .*--as-clicks"),
    "impressions": (clicks("clicked", "0", "1"), "--map type=clicked --type 1=click,0=skip"),
    "a verdict": (clicks("liked", "no", "yes"), "--map type=liked --type yes=rating:5,no=rating:1"),
    "types": (clicks("event_type", "view", "cart"), "types .*: cart .15.. Say what each is: --type cart=click"),
    "unknown names": (f"wer\tding\tnote\twann\nu1\ti1\t3\t{SECONDS}\n", "no column for .*--map user_id=COLUMN"),
    "no header": (f"71\t501\t3\t{SECONDS}\n", "first line holds values, not names .0: 71"),
    "no time, no column left": (
        "user_id,item_id,rating\nu,i,3\n",
        "no column tells the time; add a column with times, or --no-time",
    ),
    "no time": ("user_id,item_id,rating,wann\nu,i,3,x\n", "no column tells the time; left are wann: .*--no-time"),
    "reviews without a user": (
        "nick,product_id,text,date\n" + "".join(f"n{n},p{n % 3},good,2020-01-01\n" for n in range(30)),
        "no column tells the user, and 27 of 30 item ids come again: .*--map user_id=COLUMN, one of nick, date",
    ),
    "Latin-1": (LATIN, ":2: title is not in the file's encoding: .*--encoding cp1252"),
    "two in a zip": (zipped(a=b"x", b=b"y"), "holds 2 files .a, b.; unpack it and name the tables: unzip"),
    "Excel": (zipped(**{"xl__workbook.xml": b"x", "xl__sheet": b"y"}), "an Excel workbook; .*libreoffice"),
    "SQLite": (b"SQLite format 3\0", "an SQLite database; .*sqlite3"),
    "pickle": (b"\x80\x04\x95", "a Python pickle; .*read_pickle"),
    "web page": ("<!DOCTYPE html>", "a web page"),
    "columns in JSON": ('{"user_id":{"0":"u"},"item_id":{"0":"i"}}', "holds columns, not rows; .*orient='records'"),
    "rows inside": ('{"data":[{"user_id":"u"}],"n":1}', "rows are in the list 'data'; .*jq -c"),
    "unknown delimiter": (TEXT.replace(",", "^"), "one column only, .*--delimiter"),
    "nothing": ("\n \n", "empty"),
}  # fmt: skip


@pytest.mark.parametrize("form", REFUSED)
def test_what_can_be_read_in_two_ways_or_not_at_all_is_refused(tmp_path: Path, form: str) -> None:
    """The refusal has the file's name, and what to say or do."""
    data, message = REFUSED[form]
    with pytest.raises(TableError, match=message) as stopped:
        read(tmp_path / "file", data)
    assert str(tmp_path / "file") in str(stopped.value)


@pytest.mark.parametrize(
    ("form", "options", "rows"),
    [
        ("a verdict", {"columns": {"type": "liked"}, "types": {"yes": Meaning("rating", 5), "no": SKIP}}, 15),
        ("a verdict", {"as_clicks": True}, 30),
        ("impressions", {"columns": {"type": "clicked"}, "types": {"1": Meaning("click"), "0": SKIP}}, 15),
        ("an unknown rating", {"columns": {"rating": "strength"}}, 30),
        ("types", {"types": {"cart": Meaning("rating", 4)}}, 30),
        ("dates in two ways", {"date_order": "dmy"}, 1),
        ("no header", {"columns": {"user_id": "0", "item_id": "1", "rating": "2", "timestamp": "3"}}, 1),
        ("a name twice", {"columns": {"rating": "rating#2"}}, 1),
        ("unknown delimiter", {"delimiter": "^"}, 2),
        ("no time", {"no_time": True}, 1),
    ],
)  # fmt: skip
def test_what_was_refused_is_read_once_it_is_told(tmp_path: Path, form: str, options: Any, rows: int) -> None:
    """The advice can be followed."""
    assert len(read(tmp_path / "r", REFUSED[form][0], **options)) == rows


def test_an_encoding_that_is_told_is_used(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_bytes(LATIN)
    scans, check = scanned([path], "m", ReadOptions(encoding="cp1252"))
    assert [msgspec.json.decode(r.value or b"")["title"] for r in sent_of(scans, check)] == ["Amélie"]


def test_other_bytes_in_a_column_that_nobody_needs_do_no_harm(tmp_path: Path) -> None:
    data = f"user_id,item_id,rating,timestamp,notiz\nu,i,5,{SECONDS},très\n".encode("latin-1")
    assert read(tmp_path / "r", data) == [("u", "i", 5.0)]
