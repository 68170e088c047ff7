"""Run a real server for the tests of a fixture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NoReturn, TypeVar

import pytest

from consumers.demo.embedded_servers import EmbeddedError, NotInstalledError, Server

Missing = Callable[[object], NoReturn]
"""See the fixture `missing`."""
One = TypeVar("One", bound=Server)


def running(make: Callable[[], One], missing: Missing) -> Iterator[One]:
    """Yield a server that has started; stop it afterwards. missing: is told what is not installed."""
    try:
        server = make()
        server.start()
    except NotInstalledError as error:
        missing(error)
    except EmbeddedError as error:
        pytest.fail(str(error))
    yield server
    server.stop()
