"""Read lists, neighbours and scores from the store."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from .answers import RankedItem, Recommended, Similar, Status
from .connection import connect, sentinels_of
from .errors import STORE_ERRORS, unreachable
from .keys import Keys
from .questions import plans
from .questions.arguments import choice, pseudonyms, text, texts
from .questions.plans import Command, Plan, Result


class Reader:
    """Reads what the service published. Any thread may call it; it has one connection pool. `with` closes it.

    timeout: seconds that one round trip may take. key: the service's `privacy.key`. options: `cluster=True`, username,
    password, ssl_ca_certs and others, see `connection.connect`. Every method raises Unreachable if the store does not
    answer, and its subclass Refused if user, password or rights are wrong. `recommend`, `recommend_many`, `similar` and
    `rank` raise UnknownDomain for a domain that the store does not have; `titles` knows none there. An argument of the
    wrong kind is a TypeError or ValueError, before anything is sent.
    """

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        prefix: str = "cc",
        timeout: float = 1.0,
        key: str | None = None,
        **options: Any,
    ) -> None:
        self._inside = pseudonyms(key).inside
        self._url, self._options, self._keys = url, options, Keys(prefix)
        try:
            self._client = connect(url, timeout, **options)
        except STORE_ERRORS as error:  # a cluster is asked for its nodes at once
            raise unreachable(url, options, error) from None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        for client in (self._client, *sentinels_of(self._client)):
            client.close()

    def recommend(
        self,
        user: str | None,
        domain: str,
        k: int = 10,
        *,
        exclude: Collection[str] = (),
        category: str | None = None,
        diversity: float = 0.0,
    ) -> Recommended:
        """Return the best `k` items, best first: of the user's own list, else of the popular one.

        user: None is a visitor without an id, who gets the popular list.
        exclude: ids to leave out. category: only items with this tag. diversity: from 0, the list's order, to 1, which
        looks only at how little an item is like those before it. The last two cost a second round trip.
        """
        chosen = choice(k, exclude, category, diversity)
        return self._run(plans.recommend(self._keys, self._user(user), text("domain", domain), chosen))

    def recommend_many(
        self, users: Iterable[str], domain: str, k: int = 10, *, exclude: Collection[str] = ()
    ) -> dict[str, Recommended]:
        """Return the lists of many users, read in one round trip."""
        asked, chosen = texts("users", users), choice(k, exclude)
        inside = [self._inside(user) for user in asked]
        found = self._run(plans.recommend_many(self._keys, inside, text("domain", domain), chosen))
        return dict(zip(asked, found, strict=True))

    def similar(
        self,
        item: str,
        domain: str,
        k: int = 10,
        *,
        exclude: Collection[str] = (),
        category: str | None = None,
        diversity: float = 0.0,
    ) -> Similar:
        """Return the `k` items most like this one, best first. The options are those of `recommend`."""
        chosen = choice(k, exclude, category, diversity)
        return self._run(plans.similar(self._keys, text("item", item), text("domain", domain), chosen))

    def rank(
        self, user: str | None, domain: str, candidates: Sequence[str], *, use_list: bool = True
    ) -> list[RankedItem]:
        """Return the candidates, each once, best first for this user; unknown ones have score 0 and `known=False`.

        user: None is a visitor without an id. use_list: items on the user's list come first.
        """
        wanted = texts("candidates", candidates)
        return self._run(plans.rank(self._keys, self._user(user), text("domain", domain), wanted, use_list))

    def titles(self, domain: str, items: Sequence[str]) -> dict[str, str]:
        """Return titles by item; "" for an item without a known title."""
        return self._run(plans.titles(self._keys, text("domain", domain), texts("items", items)))

    def status(self) -> Status:
        """Return which domains the store has, and how long ago the service wrote."""
        return self._run(plans.status(self._keys))

    def _user(self, user: str | None) -> str | None:
        return None if user is None else self._inside(text("user", user))

    def _run(self, plan: Plan[Result]) -> Result:
        try:
            commands = next(plan)
            while True:
                commands = plan.send(self._ask(commands))
        except StopIteration as end:
            result: Result = end.value
            return result

    def _ask(self, commands: list[Command]) -> list[Any]:
        try:
            pipeline: Any = self._client.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            return usable(pipeline.execute(raise_on_error=False))
        except STORE_ERRORS as error:
            raise unreachable(self._url, self._options, error) from None


def usable(answers: list[Any]) -> list[Any]:
    """Return the answers, None for a key of another type than was read. Raises any other error of the store."""
    for at, answer in enumerate(answers):
        if isinstance(answer, Exception):
            if not str(answer).startswith("WRONGTYPE"):
                raise answer
            answers[at] = None
    return answers
