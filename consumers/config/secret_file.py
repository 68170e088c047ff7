"""Read secrets from files, so that they need not stand in a config or the environment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import redis

from serving.client.connection import login, problem


def read_secret(path: str) -> str:
    """Return the text of a file, without the white space around it. Raises OSError or ValueError.

    The error says nothing of the content.
    """
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:  # its own text would show the secret
        raise ValueError("not UTF-8 text") from None


class StoreLogin(redis.CredentialProvider):
    """User and password for the store, from a file that is read again at each new connection.

    key: the file's key in the config, for errors. split: makes user and password from the file's text.
    """

    def __init__(self, key: str, path: str, split: Callable[[str], tuple[str | None, str | None]]) -> None:
        self._key, self._path, self._split = key, path, split

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """Return what redis-py sends. Raises redis.AuthenticationError, which says nothing of the content."""
        try:
            user, password = self._split(read_secret(self._path))
        except OSError as error:
            raise redis.AuthenticationError(f"{self._key} {self._path}: {error.strerror}") from None
        except ValueError as error:
            raise redis.AuthenticationError(f"{self._key} {self._path}: {error}") from None
        return (user, password or "") if user else (password or "",)


def login_of_url(url: str) -> tuple[str | None, str | None]:
    """Return user and password in a URL. Raises ValueError, without the URL."""
    if (wrong := problem(url)) is not None:
        raise ValueError(wrong)
    return login(url)
