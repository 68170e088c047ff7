"""Send one HTTP request and return the answer, or say in words without secrets why there is none."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple

import urllib3


class NoAnswer(Exception):
    """The server gave no answer. The text says why."""


class Request(NamedTuple):
    """What to send. connect, read: seconds to wait for a connection, and for each part of the answer.

    cafile: certificates of the authorities to trust, PEM. cafile_key: the config key that names them.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    connect: float
    read: float
    cafile: str | None
    cafile_key: str
    body: bytes | None = None


class Answer(NamedTuple):
    """What came back, whatever its status."""

    status: int
    data: bytes
    headers: Mapping[str, str]


def ask(request: Request) -> Answer:
    """Send a request over a new connection. It follows no redirect: a password is for this server alone.

    Raises NoAnswer.
    """
    options: dict[str, Any] = {}
    try:
        if request.url.startswith("https"):
            options["ssl_context"] = ssl.create_default_context(cafile=request.cafile)
        with urllib3.PoolManager(**options) as pool:
            answer = pool.request(
                request.method,
                request.url,
                body=request.body,
                headers=request.headers,
                timeout=urllib3.Timeout(connect=request.connect, read=request.read),
                retries=False,
                redirect=False,
            )
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise NoAnswer(_why(error, request.cafile_key)) from None
    return Answer(answer.status, answer.data, answer.headers)


def _why(error: Exception, cafile_key: str) -> str:
    """Name the error in words that hold no header."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return f"its certificate is not trusted ({cafile_key})"
    late = isinstance(error, urllib3.exceptions.TimeoutError)
    if late and not isinstance(error, urllib3.exceptions.NewConnectionError):  # which is a subclass
        return "it does not answer in time"
    return f"it cannot be reached ({type(error).__name__})"
