"""Name the three behaviours of an error: reject this record, retry later, stop. Only `Stop` ends the process.

reject   Rejection           a value, not an exception: the record goes to the dead letters
retry    source.Unavailable  back off and try the same thing again
stop     Stop                one clear line on stderr and the exit code below
"""

from __future__ import annotations

BUG, USAGE, DEAD_LETTER_LIMIT, STATE_UNUSABLE = 1, 2, 3, 4
"""Exit codes. 0 is a stop on request, 130 and 143 a second signal."""


class Stop(Exception):
    """Ends the process with `code`, after its message is printed. The message says what to do."""

    def __init__(self, message: str, code: int = USAGE) -> None:
        super().__init__(message)
        self.code = code
