"""Answer SASL logins as a Kafka server does: PLAIN (RFC 4616) and SCRAM (RFC 5802, 7677)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

PLAIN, SCRAM = "PLAIN", {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}


class DeniedError(Exception):
    """The login is refused."""


class Plain:
    """One login. `answer` takes the client's message and returns the server's; `done` is set after the last."""

    def __init__(self, users: dict[str, str]) -> None:
        self._users, self.done = users, False

    def answer(self, message: bytes) -> bytes:
        _, user, password = message.decode().split("\0")
        if self._users.get(user) != password:
            raise DeniedError("Invalid username or password")
        self.done = True
        return b""


class Scram:
    """One login as in `Plain`, for one of the hashes. `nonce` and `salt` are drawn unless given."""

    def __init__(
        self, users: dict[str, str], mechanism: str, nonce: str | None = None, salt: bytes | None = None
    ) -> None:
        self._users, self._hash, self.done = users, SCRAM[mechanism], False
        self._nonce = nonce or base64.b64encode(os.urandom(18)).decode()
        self._salt, self._rounds = salt or os.urandom(16), 4096
        self._first = self._bare = self._expected = ""
        self._salted = b""

    def answer(self, message: bytes) -> bytes:
        fields = dict(part.split("=", 1) for part in message.decode().split(",") if "=" in part)
        return self._challenge(message.decode(), fields) if not self._first else self._verify(message, fields)

    def _challenge(self, message: str, fields: dict[str, str]) -> bytes:
        self._bare = message.removeprefix("n,,")
        password = self._users.get(fields["n"])
        if password is None:
            raise DeniedError("Invalid username or password")
        self._salted = hashlib.pbkdf2_hmac(self._hash, password.encode(), self._salt, self._rounds)
        self._expected = fields["r"] + self._nonce
        self._first = f"r={self._expected},s={base64.b64encode(self._salt).decode()},i={self._rounds}"
        return self._first.encode()

    def _verify(self, message: bytes, fields: dict[str, str]) -> bytes:
        said = f"{self._bare},{self._first},{message.decode().rsplit(',p=', 1)[0]}".encode()
        client_key = self._mac(self._salted, b"Client Key")
        stored = hashlib.new(self._hash, client_key).digest()
        signature = self._mac(stored, said)
        shown = bytes(a ^ b for a, b in zip(base64.b64decode(fields["p"]), signature, strict=True))
        if fields["r"] != self._expected or hashlib.new(self._hash, shown).digest() != stored:
            raise DeniedError("Invalid username or password")
        self.done = True
        return b"v=" + base64.b64encode(self._mac(self._mac(self._salted, b"Server Key"), said))

    def _mac(self, key: bytes, what: bytes) -> bytes:
        return hmac.new(key, what, self._hash).digest()


def begin(users: dict[str, str], mechanism: str) -> Plain | Scram:
    """Begin a login."""
    return Plain(users) if mechanism == PLAIN else Scram(users, mechanism)
