"""Show one user's lists, with transfer and without, and the reasons, as a part of the page."""

from __future__ import annotations

from html import escape
from typing import NamedTuple


class Suggested(NamedTuple):
    """A recommended item. because: a clause that begins with a verb, such as `is popular today`; "" for none."""

    title: str
    because: str


class Example(NamedTuple):
    """A user and their lists in a target. did: what users do with items, in the past tense. had: titles in `source`.

    before: how many events of the target the user had. followed: whether users get the list with transfer.
    """

    user: str
    did: str
    source: str
    had: list[str]
    target: str
    before: int
    suggested: list[Suggested]
    without: list[str]
    followed: bool

    def shortened(self, size: int) -> Example:
        """Return the same with at most so many titles in each list."""
        return self._replace(
            had=self.had[:size], suggested=self.suggested[:size], without=self.without[:size]
        )

    def heading(self) -> str:
        """Return what comes before the list with transfer."""
        return f"{self.target} now recommended" if self.followed else f"{self.target} with transfer"

    def past(self) -> str:
        """Return what the user did."""
        so_far = "nothing yet" if not self.before else f"{self.before:,} event{'s' * (self.before > 1)}"
        return f" {self.did} {listed(self.had)} in {self.source} ({so_far} in {self.target})"


def listed(titles: list[str]) -> str:
    """Write titles in a row, each in quotes.

    >>> listed(["A", "B", "C"])
    '“A”, “B” and “C”'
    """
    quoted = [f"“{title}”" for title in titles]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def section(example: Example) -> str:
    """Return the HTML of an example."""
    lines = "".join(
        f"<li><b>{escape(one.title)}</b>"
        + (f"<span>because it {escape(one.because)}</span>" if one.because else "")
        + "</li>"
        for one in example.suggested
    )
    others = "".join(f"<li><b>{escape(title)}</b></li>" for title in example.without)
    return (
        f'<h2>One user</h2><div class="card"><p class="past"><b>{escape(example.user)}</b>{escape(example.past())}</p>'
        f'<div class="lists"><div><h3>{escape(example.heading())}</h3><ol>{lines}</ol></div>'
        f'<div class="other"><h3>without transfer</h3><ol>{others}</ol></div></div></div>'
    )
