"""Files after bug reports of other projects: the records sent, the output, and the exit code."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from consumers.cli.main import _run, cli
from consumers.config.loader import load
from consumers.datasets.options import ReadOptions, parse_columns, parse_range, parse_types
from tests.support.paths import USER_FILES
from tests.support.store.scanning import scanned, sent_of

FILES = USER_FILES
CONFIG = """
[domains.shop]
rating_range = [0, 5]
[domains.ranked]
rating_range = [1, 5]
"""
Sent = dict[str, Any]


def rating(user: str, item: str, value: float, at: int | None = 1_700_000_000_000) -> Sent:
    when = {} if at is None else {"timestamp": at}
    return {"type": "rating", "user_id": user, "item_id": item, "value": value, **when}


def click(user: str, item: str, at: int | None = None) -> Sent:
    return {"type": "click", "user_id": user, "item_id": item, **({} if at is None else {"timestamp": at})}


def titled(item: str, title: str, text: str = "") -> Sent:
    return {"item_id": item, "title": title, **({"text": text} if text else {})}


class Case(NamedTuple):
    """Files (of `FILES`), options, and the right outcome. `sent`: records or their number; None: refused, code 2."""

    files: str
    options: str = ""
    sent: list[Sent] | int | None = None
    said: tuple[str, ...] = ()
    code: int = 0


CASES = {
    "f01 Score": Case(
        "f01/reviews.csv",
        sent=[rating("U1", "P1", 5, 1_600_000_000_000), rating("U2", "P2", 1, 1_600_000_060_000)],
        said=("rating     ← Score", "timestamp  ← Time", "not used: Id, ProfileName, Help", "2 ratings from 1 to 5"),
    ),
    "f01 many": Case("f01/many_reviews.csv f01/items.csv", sent=440, said=("400 ratings from 1 to 5", "40 items")),
    "f02 date": Case("f02/dated.csv f02/items.csv", sent=440, said=("timestamp  ← date", "taken as UTC")),
    "f02 date and stars": Case(
        "f02/reviews.jsonl",
        sent=[rating("u2", "b2", 1, 1_296_554_400_000), rating("u1", "b1", 4, 1_457_482_262_000)],
        said=("timestamp  ← date", "item_id    ← business_id", "not used: review_id, text"),
    ),
    "f03 one row": Case(
        "f03/reviews.csv",
        "--no-time",
        [rating("u2", "i2", 4, None)],
        (":2: item_id has 324 characters, not 1 to 256", "1 bad row left out"),
    ),
    "f03 without time": Case("f03/reviews.csv", said=("no column tells the time", "--no-time")),
    "f03 text": Case(
        "f03/text_reviews.csv", sent=[rating("u1", "i1", 5), rating("u2", "i2", 4, 1_700_000_001_000)],
        said=("shop, line 32:", "not used: review"),
    ),
    "f04": Case("f04/events.parquet", sent=[rating("ann", "dune", 5), rating("bob", "emma", 4, 1_700_000_001_000)]),
    "f05 objects": Case(
        "f05/nested.jsonl", said=(":1: user_id is an object", "--map user_id=user.id", "none that can be used")
    ),
    "f05 inner": Case(
        "f05/nested.jsonl", "--map user_id=user.id --map item_id=item.id",
        [rating("u1", "i1", 5), rating("u2", "i2", 3, 1_700_000_001_000)], ("user_id    ← user.id",),
    ),
    "f05 lists": Case("f05/lists.parquet", said=(":1: item_id is a list",)),
    "f06 events": Case("f06/events.csv", "--no-time", [click("u1", "i1"), click("u2", "i2")], ("UTF-16 by its mark",)),
    "f06 ratings": Case("f06/ratings.csv", sent=[rating("u1", "i1", 5)]),
    "f06 items": Case(
        "f06/items.csv",
        sent=[titled("i1", "Amélie", "Amélie. Genres: Comedy."), titled("i2", "Dune", "Dune. Genres: Sci-Fi.")],
    ),
    "f06 told wrong": Case("f06/ratings.csv", "--encoding utf-8", said=("zero characters", "--encoding utf-16-le")),
    "f07": Case(
        "f07/ratings.csv f07/items.csv",
        sent=[
            titled("7", "Seven"), titled("8", "Eight"),
            rating("42", "7", 4), rating("43", "8", 5, 1_700_000_001_000),
        ],
    ),
    "f07 many": Case("f07/many.csv f07/many_items.csv", sent=440),
    "f07 other ids": Case(
        "f01/reviews.csv f07/items.csv", sent=4, said=("2 of 2 events are of items that the item file lacks", "'P1'")
    ),
    "f10 usual": Case("f10/usual.inter", sent=[rating("71", "501", 3, 881_000_000_000)]),
    "f10 swapped": Case(
        "f10/swapped.inter", sent=[rating("71", "501", 3, 881_000_000_000), rating("72", "502", 3, 881_000_060_000)]
    ),
    "f12 brackets": Case(
        "f12/br[1].csv", "--no-time", [rating("u3", "i3", 5, None)],
        ("br\\[1\\].csv:2: rating '\\[/b\\]' is not a number", "rating '\\[4\\]' is not a number"),
    ),
    "f12 titles": Case(
        "f12/titles.jsonl", sent=[titled("r1", "[rec] (2007)"), titled("r2", "Broken [/b] tag (1999)")],
        said=("\\[rec\\] \\(2007\\)",),
    ),
    "f14": Case(
        "f14/items.jsonl.gz", sent=[titled("a", "A"), titled("c", "C")],
        said=("items.jsonl.gz:2: the record has 1,100,026 bytes, more than intake.max_record_bytes",),
    ),
    "f16": Case("f16/items.csv", sent=8),
    "f18": Case(
        "f18/events.csv f18/items.csv", sent=45,
        said=("user_id    ← visitorid", "view = click \\(40\\)", "not used: transactionid"),
    ),
    "f18 mapped": Case(
        "f18/events.csv f18/items.csv", "--map user_id=visitorid --map type=", 45, ("not used: event, transactionid",)
    ),
    "f18 wrong": Case(
        "f18/events.csv f18/items.csv", "--map user_id=buyer", said=("no column buyer; there are .*visitorid",)
    ),
    "f19 Python": Case(
        "f19/loose.json",
        sent=[click("u1", "p1", 1_513_468_800_000), click("u2", "p2", 1_513_555_200_000)],
        said=("Python dicts", "not used: recommended"),
    ),
    "f19 zip": Case("f19/r.zip", sent=[rating("u1", "i1", 5)], said=("zip",)),
    "u25": Case(
        "u25/plays.csv", "-d ranked", 8,
        (
            "12 of 20 ratings are outside of 1 to 5 \\(they go from 0 to 350000\\)",
            "plays.csv:6: rating 350000 is outside",
        ),
    ),
    "u25 range": Case(
        "u25/plays.csv", "-d ranked --rating-range 0:350000", said=("wider than rating_range of domain ranked",)
    ),
    "u25 clicks": Case(
        "u25/plays.csv", "-d ranked --as-clicks", 20, ("20 clicks", "--as-clicks: column rating is not read")
    ),
    "u27": Case("u27/nan.jsonl", sent=[rating("u1", "i1", 5), rating("u3", "i3", 4, 1_700_000_002_000)]),
    "u29": Case("u29/cut.csv.gz", sent=1691, said=("NOT READ TO ITS END", ":1693: unreadable from here on"), code=1),
    "u33": Case("u33/joined.csv", said=("rating#1 and rating#2 can both be the rating", "--map rating=rating#1")),
    "u33 told": Case(
        "u33/joined.csv", "--map rating=rating#1", [rating("u1", "i1", 5), rating("u2", "i2", 4, 1_700_000_001_000)]
    ),
    "u35 feedback": Case("u35/feedback.csv", said=("column feedback_type holds .* star \\(1\\)", "--type star=click")),
    "u35 feedback told": Case(
        "u35/feedback.csv", "--type star=rating:5,read=skip", [rating("u1", "i2", 5, 1_705_312_801_000)],
        ("star = rating 5 \\(1\\)", "1 rows left out by --type"),
    ),
    "u35 shop": Case("u35/shop.csv", said=("column type holds .* purchase \\(1\\)",)),
    "u35 shop told": Case(
        "u35/shop.csv", "--type view=click,purchase=rating:5",
        [click("u1", "i1", 1_700_000_000_000), rating("u1", "i2", 5, 1_700_000_001_000)],
        ("view = click \\(1\\)", "purchase = rating 5 \\(1\\)"),
    ),
}  # fmt: skip


def run(words: list[str]) -> int:
    """Run the command in this process, as from a shell."""
    return _run(functools.partial(cli, words))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "crosscurrent.toml"
    path.write_text(CONFIG)
    return path


def reading_of(options: str) -> tuple[str, ReadOptions]:
    """Return the domain, and the options for the reader."""
    given: dict[str, list[str]] = {}
    words = options.split()
    while words:
        name = words.pop(0)
        given.setdefault(name, []).append("" if name in ("--no-time", "--as-clicks") else words.pop(0))
    return given.pop("-d", ["shop"])[0], ReadOptions(
        columns=parse_columns(given.get("--map", [])),
        types=parse_types(given.get("--type", [])),
        rating_range=parse_range(given.get("--rating-range", [None])[0]),  # type: ignore[list-item]
        no_time="--no-time" in given,
        as_clicks="--as-clicks" in given,
    )


@pytest.mark.parametrize("name", CASES)
def test_what_a_file_says_is_what_is_sent(
    name: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Guesses and omissions are reported before anything is sent; an ambiguous file is refused."""
    case = CASES[name]
    files = [FILES / file for file in case.files.split()]
    domain = [] if "-d" in case.options else ["-d", "shop"]
    words = ["replay", *map(str, files), "-c", str(config), *domain, *case.options.split(), "--dry-run"]
    code = run(words)
    captured = capsys.readouterr()
    said = captured.out + captured.err
    for pattern in case.said:
        spaced = re.sub(" +", r"\\s+", pattern)
        assert re.search(spaced, said), f"{pattern!r} is not in\n{said}"
    assert "Traceback" not in said
    if case.sent is None:
        assert code == 2
        assert len(said.strip().splitlines()) == 1
        return
    assert code == case.code
    at, reading = reading_of(case.options)
    sent = sent_of(*scanned(files, at, reading, load(config)))
    if isinstance(case.sent, int):
        assert len(sent) == case.sent
    else:
        assert [msgspec.json.decode(record.value or b"") for record in sent] == case.sent
    for record in sent_of(*scanned(files[:1], at, reading, load(config)))[:3]:
        assert f"{record.domain}, line {record.line}: " in said


def test_what_is_sold_out_is_not_available() -> None:
    """t, f, F, 0.0, N, False, no and n are read as yes or no."""
    scans, check = scanned([FILES / "f16" / "items.csv"], "shop")
    got = [
        msgspec.json.decode(record.value or b"").get("available", True) for record in sent_of(scans, check)
    ]
    assert got == [True] + 7 * [False]


@pytest.mark.parametrize("command", ["replay", "pretrain", "evaluate"])
def test_one_reader_with_the_same_options(
    command: str, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All three commands map columns, report types, and warn of a catalogue that does not fit."""
    events, items = FILES / "f18" / "events.csv", FILES / "f01" / "items.csv"
    strange = tmp_path / "strange.csv"
    strange.write_text("sku,title\nB1,A\nB2,B\n")
    options = [
        "--map",
        "user_id=visitorid",
        "--map",
        "item_id=itemid",
        "--type",
        "view=rating:4",
        "--dry-run",
    ]
    both = ["--interactions", str(events), "--items", str(items)]
    words = {
        "replay": ["replay", str(events), str(items), "-c", str(config), "-d", "shop"],
        "pretrain": ["pretrain", *both, "-c", str(config), "-d", "shop", "--out", str(tmp_path / "out")],
        "evaluate": ["evaluate", *both, "--target", "shop"],
    }[command]
    assert run(words + options) == 0
    said = capsys.readouterr()
    for part in (
        "← visitorid",
        "40 ratings from 4 to 4",
        "view = rating 4 (40)",
        '"value":4.0',
        "not used: transactionid",
    ):
        assert part in said.out + said.err
    assert "item file lacks" not in said.out + said.err
    assert not (tmp_path / "out").exists()
    assert run([str(strange) if word == str(items) else word for word in words + options]) == 0
    said = capsys.readouterr()
    assert (
        "40 of 40 events are of items that the item file lacks, such as '0'; it has 'B1'"
        in said.out + said.err
    )


def test_a_file_that_was_cut_off_is_told_by_the_exit_code_of_every_command(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events, items = str(FILES / "u29" / "cut.csv.gz"), str(FILES / "f01" / "items.csv")
    both = ["--interactions", events, "--items", items, "--dry-run"]
    assert run(["pretrain", *both, "-c", str(config), "-d", "shop", "--out", str(tmp_path / "out")]) == 1
    assert run(["evaluate", *both, "--target", "shop"]) == 1
    assert capsys.readouterr().out.count("NOT READ TO ITS END") == 2
