"""Check what an event or item holds besides its ids, time and value: context, tags, vectors."""

from __future__ import annotations

import zlib

from consumers.events.rejection import (
    CONTEXT_LIMIT,
    TAG_LIMIT,
    TAGS_LIMIT,
    VECTOR_WIDTH_LIMIT,
    VECTORS_LIMIT,
    Rejected,
    found,
    word,
)

CONTEXT_BUCKETS = 4096


def hashed_context(context: dict[str, float | str]) -> tuple[str, ...]:
    """Return feature names in a bounded space: at most 16, each one of 4,096 buckets. Numbers keep two digits."""
    if len(context) > CONTEXT_LIMIT:
        raise Rejected("bad_context", found("context", f"{len(context):,} entries"))
    names = []
    for key, value in context.items():
        text = value if isinstance(value, str) else f"{value:.2g}"
        names.append(f"c{zlib.crc32(f'{key}={text}'.encode('utf-8', 'replace')) % CONTEXT_BUCKETS}")
    return tuple(sorted(set(names)))


def each_tag_once(given: list[str] | str) -> tuple[str, ...]:
    """Return the tags, each once. given: a list, or text with commas between them."""
    tags = [tag.strip() for tag in given.split(",")] if isinstance(given, str) else given
    if len(tags) > TAGS_LIMIT:
        raise Rejected("bad_tags", found("tags", f"{len(tags):,} tags"))
    for tag in tags:
        if not 1 <= len(tag) <= TAG_LIMIT or "," in tag:
            raise Rejected("bad_tags", found("tags", word(tag)))
        try:
            tag.encode()
        except UnicodeEncodeError:
            raise Rejected("bad_tags", found("tags", "a lone surrogate")) from None
    return tuple(dict.fromkeys(tags))


def check_vectors(vectors: dict[str, list[float]]) -> None:
    if len(vectors) > VECTORS_LIMIT:
        raise Rejected("bad_vectors", found("vectors", f"{len(vectors):,} arrays"))
    for name, vector in vectors.items():
        if not 0 < len(vector) <= VECTOR_WIDTH_LIMIT:
            raise Rejected("bad_vectors", found("vectors", f"{len(vector):,} numbers in {word(name)}"))
