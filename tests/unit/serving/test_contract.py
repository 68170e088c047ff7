"""Keys and encodings are those that readers in any language rely on."""

from __future__ import annotations

import json
import math
import struct

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.ranking.recommendation import Recommendation
from serving.contract import (
    Keys,
    ListedItem,
    RecommendationList,
    Write,
    decode_list,
    encode_list,
    encode_vector,
    hash_write,
    list_write,
    number,
    to_listed_items,
)


def test_keys() -> None:
    """Keys have the names of the contract, under any prefix."""
    keys = Keys("cc")
    assert keys.recommendations("ann", "books") == "cc:rec:{ann}:books"
    assert keys.user("ann") == "cc:user:{ann}"
    assert keys.item("books", "b:1") == "cc:item:books:b:1"
    assert keys.similar("books", "b:1") == "cc:similar:books:b:1"
    assert keys.domain("books") == "cc:domain:books"
    assert keys.popular("books") == "cc:popular:books"
    assert keys.meta == "cc:meta"
    assert Keys("shop:x").user("a") == "shop:x:user:{a}"


def test_the_item_of_a_key() -> None:
    """Of its record and of its neighbours; other keys have none."""
    keys = Keys("shop:x")
    for key in (keys.item("books", "b:1"), keys.similar("books", "b:1")):
        assert keys.item_of(key) == ("books", "b:1")
    for key in (keys.domain("books"), keys.user("item:books"), "shop:x:item:books", "cc:item:books:b1"):
        assert keys.item_of(key) is None


def test_a_users_keys_share_a_cluster_slot() -> None:
    """The hash tag is the user in braces, in every key of the user."""
    keys = Keys()
    tags = {
        key[key.index("{") : key.index("}") + 1]
        for key in (keys.user("ann"), keys.recommendations("ann", "b"))
    }
    assert tags == {"{ann}"}


@settings(max_examples=80, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60))
def test_numbers_are_decimal_text(value: float) -> None:
    """Reading the text back gives the same float; whole numbers have neither point nor exponent."""
    text = number(value)
    assert float(text) == float(value)
    if isinstance(value, int) and abs(value) < 2**53:
        assert text == str(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (-0.0, "0"), (3.0, "3"), (0.1, "0.1"), (True, "1"), (np.float32(0.5), "0.5"), (np.int64(7), "7"),
    ],
)  # fmt: skip
def test_number(value: float, text: str) -> None:
    """Numpy's numbers are written like Python's."""
    assert number(value) == text


def test_vectors_are_little_endian_float32() -> None:
    """A vector has four bytes for each component, as a vector index expects."""
    data = encode_vector(np.array([1.0, -2.5, math.pi]))
    assert data == struct.pack("<3f", 1.0, -2.5, math.pi)
    assert np.frombuffer(data, "<f4").tolist() == np.array([1.0, -2.5, math.pi], np.float32).tolist()
    assert encode_vector(np.arange(10, dtype=np.float32)[::2]) == struct.pack("<5f", 0, 2, 4, 6, 8)


def test_hash_write() -> None:
    """Numbers become text; text and bytes stay."""
    write = hash_write("k", {"a": 1, "b": 0.5, "t": "ü", "v": b"\x00\xff", "n": np.float64(2)}, 60)
    assert write == Write("k", "hash", {"a": "1", "b": "0.5", "t": "ü", "v": b"\x00\xff", "n": "2"}, 60)


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["v", "model", "items", "id"]), inner, max_size=3)
    ),
)


def listed(item_id: str, score: float, why: dict[str, float]) -> Recommendation:
    return Recommendation(item_id, "", score, why, 0)


LIST = RecommendationList(
    1,
    7,
    11,
    12,
    to_listed_items([listed("a", 2.0, {"text": 1.5, "fresh": 0.5}), listed("b", 1.0, {"x": 1.0})], 1),
)


def test_list_json() -> None:
    """A list is the JSON of the contract, key for key, with `why` only for explained items."""
    assert json.loads(encode_list(LIST)) == {
        "v": 1,
        "model": 7,
        "event_ts": 11,
        "published_ts": 12,
        "items": [{"id": "a", "score": 2.0, "why": {"text": 1.5, "fresh": 0.5}}, {"id": "b", "score": 1.0}],
    }
    assert decode_list(encode_list(LIST)) == LIST


def test_only_a_drawn_list_says_how_it_was_drawn() -> None:
    """One that was not has the bytes that it always had; one that was has two more fields, which a reader decodes."""
    assert encode_list(LIST) == (
        b'{"v":1,"model":7,"event_ts":11,"published_ts":12,"items":[{"id":"a","score":2.0,"why":{"text":1.5,"fresh":0.5}},'
        b'{"id":"b","score":1.0}]}'
    )
    drawn = msgspec.structs.replace(LIST, policy="pl-1", p=[0.5, 0.25])
    assert encode_list(drawn) == encode_list(LIST)[:-1] + b',"policy":"pl-1","p":[0.5,0.25]}'
    assert decode_list(encode_list(drawn)) == drawn


def test_list_write() -> None:
    """A list is one SET with its expiry; an empty list deletes the key."""
    assert list_write("k", LIST, 60) == Write("k", "set", encode_list(LIST), 60)
    assert list_write("k", msgspec.structs.replace(LIST, items=[]), 60) == Write("k", "delete", None)


def test_an_explanation_may_be_empty() -> None:
    """Within `explain_top` even an empty `why` is there: readers can tell it from a line that is not explained."""
    assert [item.why for item in to_listed_items([listed("a", 0.0, {}), listed("b", 0.0, {})], 1)] == [
        {},
        None,
    ]
    assert "why" in json.loads(msgspec.json.encode(ListedItem("a", 0.0, {})))


def test_superseding_answers_for_the_older() -> None:
    """A superseding write has the newer value and the events of both, older first."""
    older = Write("k", "set", b"1", 5, (1, 2), ("a", "b"))
    newer = Write("k", "set", b"2", 6, (3,), ("a",))
    assert newer.superseding(older) == Write("k", "set", b"2", 6, (1, 2, 3), ("a", "b", "a"))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything_else_is_a_decode_error(data: bytes) -> None:
    """Any value that is no list raises the one error that readers expect."""
    try:
        decoded = decode_list(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    assert isinstance(decoded, RecommendationList)
