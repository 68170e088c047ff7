"""Read lists, neighbours and scores from the store, with asyncio."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from .answers import RankedItem, Recommended, Similar, Status
from .connection import connect_async, sentinels_of
from .errors import STORE_ERRORS, unreachable
from .keys import Keys
from .questions import plans
from .questions.arguments import choice, pseudonyms, text, texts
from .questions.plans import Command, Plan, Result
from .reader import usable


class AsyncReader:
    """Does what `Reader` does, in one event loop. Use it with `async with`, or close it with `aclose`."""

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
        self._client = connect_async(url, timeout, **options)

    async def __aenter__(self) -> AsyncReader:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        for client in (self._client, *sentinels_of(self._client)):
            await client.aclose()

    async def recommend(
        self,
        user: str | None,
        domain: str,
        k: int = 10,
        *,
        exclude: Collection[str] = (),
        category: str | None = None,
        diversity: float = 0.0,
    ) -> Recommended:
        """Return the best `k` items, see `Reader.recommend`."""
        chosen = choice(k, exclude, category, diversity)
        return await self._run(plans.recommend(self._keys, self._user(user), text("domain", domain), chosen))

    async def recommend_many(
        self, users: Iterable[str], domain: str, k: int = 10, *, exclude: Collection[str] = ()
    ) -> dict[str, Recommended]:
        """Return the lists of many users, read in one round trip."""
        asked, chosen = texts("users", users), choice(k, exclude)
        inside = [self._inside(user) for user in asked]
        found = await self._run(plans.recommend_many(self._keys, inside, text("domain", domain), chosen))
        return dict(zip(asked, found, strict=True))

    async def similar(
        self,
        item: str,
        domain: str,
        k: int = 10,
        *,
        exclude: Collection[str] = (),
        category: str | None = None,
        diversity: float = 0.0,
    ) -> Similar:
        """Return the `k` items most like this one, best first."""
        chosen = choice(k, exclude, category, diversity)
        return await self._run(plans.similar(self._keys, text("item", item), text("domain", domain), chosen))

    async def rank(
        self, user: str | None, domain: str, candidates: Sequence[str], *, use_list: bool = True
    ) -> list[RankedItem]:
        """Return the candidates, each once, best first for this user, see `Reader.rank`."""
        wanted = texts("candidates", candidates)
        return await self._run(
            plans.rank(self._keys, self._user(user), text("domain", domain), wanted, use_list)
        )

    async def titles(self, domain: str, items: Sequence[str]) -> dict[str, str]:
        """Return titles by item; "" for an item without a known title."""
        return await self._run(plans.titles(self._keys, text("domain", domain), texts("items", items)))

    async def status(self) -> Status:
        """Return which domains the store has, and how long ago the service wrote."""
        return await self._run(plans.status(self._keys))

    def _user(self, user: str | None) -> str | None:
        return None if user is None else self._inside(text("user", user))

    async def _run(self, plan: Plan[Result]) -> Result:
        try:
            commands = next(plan)
            while True:
                commands = plan.send(await self._ask(commands))
        except StopIteration as end:
            result: Result = end.value
            return result

    async def _ask(self, commands: list[Command]) -> list[Any]:
        try:
            pipeline = self._client.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            return usable(await pipeline.execute(raise_on_error=False))
        except STORE_ERRORS as error:
            raise unreachable(self._url, self._options, error) from None
