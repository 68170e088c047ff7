"""Name the keys of the store."""

from __future__ import annotations

import re


class Keys:
    """Key names under one prefix. The braces around a user are a hash tag: all keys of a user share a cluster slot."""

    def __init__(self, prefix: str = "cc", shard: int = 0) -> None:
        """shard: the index of the process that writes; each has its own `cc:meta`, and the first has the plain one."""
        self.prefix = prefix
        self.meta = f"{prefix}:meta:shard-{shard}" if shard else f"{prefix}:meta"
        self.canary = f"{prefix}:canary"
        self._of_users = (f"{prefix}:user:{{", f"{prefix}:rec:{{")
        self._of_items = (f"{prefix}:item:", f"{prefix}:similar:")

    def recommendations(self, user: str, domain: str) -> str:
        return f"{self.prefix}:rec:{{{user}}}:{domain}"

    def user(self, user: str) -> str:
        return f"{self.prefix}:user:{{{user}}}"

    def item(self, domain: str, item: str) -> str:
        return f"{self.prefix}:item:{domain}:{item}"

    def similar(self, domain: str, item: str) -> str:
        return f"{self.prefix}:similar:{domain}:{item}"

    def domain(self, domain: str) -> str:
        return f"{self.prefix}:domain:{domain}"

    def popular(self, domain: str) -> str:
        return f"{self.prefix}:popular:{domain}"

    def pattern(self, rest: str) -> str:
        """Return the glob pattern of keys under the prefix; `rest` is a pattern itself."""
        return re.sub(r"([\\*?\[\]])", r"\\\1", self.prefix) + f":{rest}"

    def owner(self, key: str) -> str | None:
        """Return the user whose key this is; None for other keys."""
        for head in self._of_users:
            if key.startswith(head):
                end = key.rfind("}")
                return None if end < len(head) else key[len(head) : end]
        return None

    def item_of(self, key: str) -> tuple[str, str] | None:
        """Return the domain and the item whose record or neighbours the key holds; None for other keys."""
        for head in self._of_items:
            if key.startswith(head):
                domain, separator, item = key.removeprefix(head).partition(":")
                return (domain, item) if separator else None
        return None
