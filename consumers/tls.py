"""TLS to Kafka, as kafka-python would make it, but no handshake waits without end."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import Any

HANDSHAKE_SECONDS = 5.0
"""A server that has said nothing by then is taken for dead: the client ends the connection and tries again."""


class TlsFileError(OSError):
    """A certificate, key or authority that cannot be loaded."""


class _Connection(ssl.SSLSocket):
    """Shut down unless the handshake is done in time: kafka-python waits for it without end."""

    _late = False

    def end_if_silent(self) -> None:
        """Whoever waits for the server sees the end of the connection."""
        with contextlib.suppress(OSError, ValueError):  # closed meanwhile
            if self.version() is None:
                self._late = True
                socket.socket.shutdown(self, socket.SHUT_RDWR)

    def do_handshake(self, block: bool = False) -> None:
        """As the base class. Raises TimeoutError once it is too late."""
        try:
            super().do_handshake(block)
        except OSError as error:
            if self._late:
                raise TimeoutError(f"no answer for {HANDSHAKE_SECONDS:g} s") from error
            raise


class _Context(ssl.SSLContext):
    sslsocket_class = _Connection

    def wrap_socket(self, *args: Any, **options: Any) -> Any:
        connection: Any = super().wrap_socket(*args, **options)
        timer = threading.Timer(HANDSHAKE_SECONDS, connection.end_if_silent)
        timer.daemon = True
        timer.start()
        return connection


def context(cafile: str | None, certfile: str | None, keyfile: str | None) -> ssl.SSLContext:
    """TLS 1.2 or later, the server's name and certificate checked. No `cafile`: the system's authorities.

    Raises TlsFileError that names the config key.
    """
    made = _Context(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if cafile:
            made.load_verify_locations(cafile)
        else:
            made.load_default_certs()
    except OSError as error:
        raise TlsFileError(f"kafka.ssl_cafile {cafile}: {error.strerror or error}") from error
    if certfile:
        try:
            made.load_cert_chain(certfile, keyfile, lambda: "")  # rather than ask the terminal
        except OSError as error:
            what = f"kafka.ssl_certfile {certfile}, ssl_keyfile {keyfile}"
            raise TlsFileError(f"{what}: {error.strerror or error}") from error
    return made
