"""Keep whose keys must be deleted: removed items, users who lost their row, forgotten users."""

from __future__ import annotations

from collections.abc import Iterable

from models.arms.arm_comparison import ArmComparison
from serving.contract import Keys, Write
from serving.publication.shard_part import ShardPart


class Deletions:
    """Knows which keys the store holds too many. `writes` empties it."""

    def __init__(self, arms: ArmComparison, keys: Keys, listing: list[str], part: ShardPart) -> None:
        """listing: domains with lists. part: what this process writes of shared records."""
        self._arms, self._keys, self._listing, self._part = arms, keys, listing, part
        self.items: dict[tuple[str, str], None] = {}
        """(domain, id) of items without a row, or removed."""
        self.users: dict[str, None] = {}
        """Users who lost their row. Their lists are deleted, because nothing would rewrite them."""
        self._forgotten: dict[str, list[str]] = {}

    def __len__(self) -> int:
        return len(self.items) + len(self.users) + len(self._forgotten)

    def forget_user(self, user: str, found: Iterable[str]) -> list[str]:
        """Delete all keys of a user. Return them. found: more keys of theirs, seen in the store."""
        self.users.pop(user, None)
        names = [domain.name for domain in self._arms.full.domains]
        own = [self._keys.user(user), *(self._keys.recommendations(user, name) for name in names)]
        self._forgotten[user] = keys = [*dict.fromkeys([*own, *found])]
        return keys

    def forgotten_keys(self) -> list[str]:
        """Return the keys of forgotten users whose deletion was not collected yet."""
        return [key for keys in self._forgotten.values() for key in keys]

    def writes(self) -> Iterable[Write]:
        """Yield every deletion that is due. A user who has come back keeps their lists."""
        items, self.items = self.items, {}
        for domain, item in filter(lambda pair: self._part.owns(*pair), items):
            yield Write(self._keys.item(domain, item), "delete", None)
            yield Write(self._keys.similar(domain, item), "delete", None)
        users, self.users = self.users, {}
        for user in users:
            if user not in self._arms.full.users:
                for domain in self._listing:
                    yield Write(self._keys.recommendations(user, domain), "delete", None)
        forgotten, self._forgotten = self._forgotten, {}
        for keys in forgotten.values():  # also for a user who came back: no old field may stay in their hash
            yield from (Write(key, "delete", None) for key in keys)
