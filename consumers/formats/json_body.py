"""JSON of another shape than the contract's."""

from __future__ import annotations

from typing import Any

import msgspec

from consumers.events.rejection import Rejected
from consumers.events.second_look import parse_leniently

_decode = msgspec.json.Decoder().decode


def parse(value: bytes) -> Any:
    """Parse JSON in UTF-8. Raises Rejected."""
    try:
        value.isascii() or value.decode()
        return _decode(value)
    except UnicodeDecodeError as error:
        raise Rejected("not_utf8", f"the record: byte {error.start} is not UTF-8") from None
    except (msgspec.DecodeError, RecursionError) as error:
        return parse_leniently(value, error)
