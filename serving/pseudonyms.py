"""User ids as keyed hashes: what state and store hold instead of raw ids, and what a request to forget names.

Both are HMAC-SHA256 (RFC 2104) in hex, cut to 32 characters, so that any language can make them:
`printf %s "$USER_ID" | openssl dgst -sha256 -hmac "$KEY"`.
"""

from __future__ import annotations

import hmac

LENGTH = 32
PUBLIC_KEY = "crosscurrent"
"""For the hashes of requests to forget where no key is set: whoever guesses an id can then test the guess."""


class Pseudonyms:
    """`inside` is the id that is learned and published under; `mark` stands for that id in a request to forget.

    Without a key ids stay as they are. `replace = False`: ids stay, and the key serves marks only.
    """

    def __init__(self, key: str | None = None, replace: bool = True) -> None:
        self.active = bool(key) and replace
        self._key = (key or PUBLIC_KEY).encode()
        self.fingerprint = self._hash(f"key\0{self.active}") if key else ""
        """Tells one key from another without giving it away; empty without a key."""

    def _hash(self, text: str) -> str:
        return hmac.digest(self._key, text.encode(errors="surrogatepass"), "sha256").hex()[:LENGTH]

    def inside(self, user_id: str) -> str:
        """The pseudonym of a raw user id, or the id itself."""
        return self._hash(user_id) if self.active else user_id

    def mark(self, inside: str) -> str:
        """What a request to forget, and the state, keep of a user. inside: their id as `inside` gives it."""
        return self._hash(f"forget\0{inside}")
