"""Our own layout, MovieLens and Amazon Reviews need no mapping."""

from __future__ import annotations

import gzip
from pathlib import Path

import msgspec
import pytest

from consumers.datasets.table_file import TableFile
from tests.support.store.scanning import decoded, read

NOON = 1_700_000_000_000


def test_our_own_layout(tmp_path: Path) -> None:
    """Ids keep leading zeros, a blank rating is a click, seconds become ms, the domain column decides."""
    path = tmp_path / "interactions.csv"
    path.write_text(
        "user_id,item_id,domain,rating,timestamp\n007,0615391206,kitchen,,1700000000\nu1,m1,food,4.5,1700000001\n"
    )
    got = list(TableFile(path).records(print))
    assert [r.domain for r in got] == ["kitchen", "food"]
    assert [r.timestamp for r in got] == [NOON, NOON + 1000]
    assert [v for _, v in decoded(got)] == [
        {"type": "click", "user_id": "007", "item_id": "0615391206", "timestamp": NOON},
        {"type": "rating", "user_id": "u1", "item_id": "m1", "value": 4.5, "timestamp": NOON + 1000},
    ]


def test_our_own_items(tmp_path: Path) -> None:
    """Commas, quotes and line breaks in quoted text survive."""
    values, bad = read(
        tmp_path / "items.csv",
        'item_id,domain,title,text\n01,food,"Salt, ""fine""","Salt.\nFor the table."\n02,food,,\n',
        None,
    )
    assert values == [
        {"item_id": "01", "title": 'Salt, "fine"', "text": "Salt.\nFor the table."},
        {"item_id": "02", "title": ""},
    ]
    assert not bad


MOVIELENS = [
    ("ratings.csv", "userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n"),
    ("u.data", "1\t31\t2.5\t1260759144\n"),
    ("ratings.dat", "1::31::2.5::1260759144\n"),
]


@pytest.mark.parametrize(("name", "text"), MOVIELENS)
@pytest.mark.parametrize("zipped", [False, True])
def test_movielens_ratings(tmp_path: Path, name: str, text: str, zipped: bool) -> None:
    """MovieLens Latest, 100k and 1M/10M are read, gzip or not, under any file name."""
    values, bad = read(tmp_path / name, gzip.compress(text.encode()) if zipped else text)
    assert values == [
        {"type": "rating", "user_id": "1", "item_id": "31", "value": 2.5, "timestamp": 1260759144000}
    ]
    assert not bad


FLAGS = "|".join("1" if n in (3, 4, 5) else "0" for n in range(19))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("movies.csv", "movieId,title,genres\n1,Toy Story (1995),Animation|Children's|Comedy\n"),
        ("movies.dat", "1::Toy Story (1995)::Animation|Children's|Comedy\n"),
        ("u.item", f"1|Toy Story (1995)|01-Jan-1995||http://imdb.com/?a,b|{FLAGS}\n"),
    ],
)
def test_movielens_items(tmp_path: Path, name: str, text: str) -> None:
    """An item's genres become its text."""
    values, bad = read(tmp_path / name, text)
    about = "Toy Story (1995). Genres: Animation, Children's, Comedy."
    assert values == [{"item_id": "1", "title": "Toy Story (1995)", "text": about}]
    assert not bad


def test_latin_1_titles_and_no_genres(tmp_path: Path) -> None:
    """MovieLens 100k and 1M are not UTF-8."""
    values, bad = read(
        tmp_path / "movies.dat", "1::Misérables, Les (1995)::(no genres listed)\n".encode("latin-1")
    )
    assert values == [{"item_id": "1", "title": "Misérables, Les (1995)"}]
    assert not bad


def test_amazon_reviews(tmp_path: Path) -> None:
    """Reviews of 2023 have ms, parent_asin goes before asin, and the review's title and text are not the item's."""
    review = {
        "rating": 5.0, "title": "Great", "text": "Loved it", "asin": "B01", "parent_asin": "B00YQ6X8EO",
        "user_id": "AGKHLEW2SOWHNMFQIJGBECAF7INQ", "timestamp": 1588687728923, "verified_purchase": True,
    }  # fmt: skip
    values, bad = read(tmp_path / "All_Beauty.jsonl", msgspec.json.encode(review) + b"\n\n")
    assert values == [
        {
            "type": "rating", "user_id": "AGKHLEW2SOWHNMFQIJGBECAF7INQ", "item_id": "B00YQ6X8EO", "value": 5.0,
            "timestamp": 1588687728923,
        }
    ]  # fmt: skip
    assert not bad


def test_amazon_rating_only(tmp_path: Path) -> None:
    """The 0-core CSV of Amazon, with ratings only, is read."""
    values, _ = read(
        tmp_path / "b.csv", "user_id,parent_asin,rating,timestamp\nA1,0123456789,4.0,1588687728923\n"
    )
    assert values == [
        {"type": "rating", "user_id": "A1", "item_id": "0123456789", "value": 4.0, "timestamp": 1588687728923}
    ]


def test_amazon_meta(tmp_path: Path) -> None:
    """Lists become text, null titles are empty, and the text is not longer than an encoder reads."""
    meta = {
        "main_category": "All Beauty", "title": "Howard LC0008 Conditioner", "average_rating": 4.8,
        "features": ["Cleans.", "Shines"], "description": ["A fine wax. " * 900], "parent_asin": "B01",
        "categories": ["Home", "Care"],
    }  # fmt: skip
    lines = msgspec.json.encode(meta) + b'\n{"parent_asin":"B02","title":null,"features":[]}\n'
    values, bad = read(tmp_path / "meta_All_Beauty.jsonl", lines)
    assert values[0]["text"].startswith(
        "Howard LC0008 Conditioner. Categories: Home, Care. Cleans., Shines. A fine"
    )
    assert len(values[0]["text"]) == 4000
    assert values[1] == {"item_id": "B02", "title": ""}
    assert not bad
