"""Split text of scripts that write no spaces between words into short runs of characters."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f々〇"
_KANA = "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9d"
_SOUTH_EAST = "\u0e01-\u0e3a\u0e40-\u0e4e\u0e80-\u0eff\u1000-\u109f\u1780-\u17d3"
"""Thai, Lao, Burmese and Khmer."""
_HAN_CHARACTER = re.compile(f"[{_HAN}]")
_UNSPACED = re.compile(f"[{_HAN}{_KANA}{_SOUTH_EAST}]+")


def split_scripts(text: str) -> tuple[str, list[str]]:
    """Return the text with a space for each run of a script without spaces, and these runs.

    >>> split_scripts("君の名は。 Your Name")
    (' 。 Your Name', ['君の名は'])
    """
    runs = _UNSPACED.findall(text)
    return (_UNSPACED.sub(" ", text), runs) if runs else (text, runs)


def character_ngrams(runs: Sequence[str]) -> list[str]:
    """Return the pairs of neighbouring characters of each run, and each Chinese character, which has a meaning alone.

    Most words of these languages have two characters, so texts about the same share pairs, whatever a dictionary
    would say about where words end. A run of one character is kept as it is.

    >>> character_ngrams(["君の名は", "の"])
    ['君の', 'の名', '名は', '君', '名', 'の']
    """
    found: list[str] = []
    for run in runs:
        pairs = [run[n : n + 2] for n in range(len(run) - 1)]
        single = _HAN_CHARACTER.findall(run)
        found += pairs + single if pairs or single else [run]
    return found
