"""Replace user ids by keyed hashes, in state and store and in requests to forget.

The hashes are HMAC-SHA256 (RFC 2104) in hex, cut to 32 characters, so that any language can make them:
`printf %s "$USER_ID" | openssl dgst -sha256 -hmac "$KEY"`.
"""

from __future__ import annotations

import hmac

LENGTH = 32
KEY_LENGTH = 16
"""Fewest characters of a key."""
PUBLIC_KEY = "crosscurrent"
"""Key of requests to forget if no other is set. Anybody who guesses an id can then test the guess."""


class Pseudonyms:
    """Hashes of user ids. Without a key ids stay as they are.

    `replace = False`: ids stay as they are, and only requests to forget use the key.
    """

    def __init__(self, key: str | None = None, replace: bool = True) -> None:
        self.active = bool(key) and replace
        self._key = (key or PUBLIC_KEY).encode()
        self.fingerprint = self._hash(f"key\0{self.active}") if key else ""
        """Tells one key from another without revealing it; empty without a key."""

    def _hash(self, text: str) -> str:
        return hmac.digest(self._key, text.encode(errors="surrogatepass"), "sha256").hex()[:LENGTH]

    def inside(self, user_id: str) -> str:
        """Return the id under which a user is learned and published: a pseudonym, or the raw id itself."""
        return self._hash(user_id) if self.active else user_id

    def mark(self, inside: str) -> str:
        """Return the hash of a user in a request to forget. inside: their id as `inside` returns it."""
        return self._hash(f"forget\0{inside}")
