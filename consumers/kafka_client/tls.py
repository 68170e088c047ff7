"""Open TLS connections to Kafka as kafka-python does, but with a time limit on the handshake."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import Any

PATIENCE_SECONDS = 2.5
"""Seconds for which a server may say nothing in a handshake; then the connection ends, and the client tries again."""
LONGEST_SECONDS = 10.0
"""The limit doubles with each try up to this, for slow brokers. A start has some 6 s, and other servers to try."""


class TlsFileError(OSError):
    """A certificate, key or authority that cannot be loaded."""


class TlsContext:
    """The TLS settings of a client: TLS 1.2 or later, the server's name and certificate checked.

    Files are loaded for each connection, so that renewed ones are used. Without a `cafile` the authorities of the
    system are trusted.
    """

    def __init__(self, cafile: str | None, certfile: str | None, keyfile: str | None) -> None:
        self._cafile, self._certfile, self._keyfile = cafile, certfile, keyfile
        self.patience = PATIENCE_SECONDS

    def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
        """Wrap a socket as `ssl.SSLContext` does. Raises TlsFileError, which names the config key."""
        connection = self._loaded().wrap_socket(*args, **options)
        assert isinstance(connection, _Connection)
        connection.limit(self)
        return connection

    def _loaded(self) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.sslsocket_class = _Connection
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            if self._cafile:
                made.load_verify_locations(self._cafile)
            else:
                made.load_default_certs()
        except OSError as error:
            raise TlsFileError(f"{error.strerror or error}: kafka.ssl_cafile {self._cafile}") from error
        if self._certfile:
            try:
                # For an encrypted key OpenSSL would ask on the terminal; an error is raised instead.
                made.load_cert_chain(self._certfile, self._keyfile, lambda: "")
            except OSError as error:
                key = self._keyfile or "is not set: the certificate's file must hold the key, too"
                files = f"kafka.ssl_certfile {self._certfile}, ssl_keyfile {key}"
                raise TlsFileError(f"{error.strerror or error}: {files}") from error
        return made


class _Connection(ssl.SSLSocket):
    """A connection that is shut down unless its handshake ends in time; kafka-python would wait for ever."""

    _owner: TlsContext | None = None
    _waited = 0.0
    """Seconds that the handshake was waited for; 0 as long as it is not too late."""

    def limit(self, owner: TlsContext) -> None:
        """Start the clock of the handshake."""
        self._owner = owner
        timer = threading.Timer(owner.patience, self._end_if_silent, [owner, owner.patience])
        timer.daemon = True
        timer.start()

    def _end_if_silent(self, owner: TlsContext, seconds: float) -> None:
        """Shut the connection down, which wakes the thread that waits for the server."""
        with contextlib.suppress(OSError, ValueError):  # another thread has closed it
            if self.fileno() >= 0 and self.version() is None:
                self._waited = seconds
                socket.socket.shutdown(self, socket.SHUT_RDWR)
                owner.patience = min(2 * seconds, LONGEST_SECONDS)

    def do_handshake(self, block: bool = False) -> None:
        """Shake hands as the base class does. Raises TimeoutError once it is too late."""
        try:
            super().do_handshake(block)
        except OSError as error:
            if self._waited:
                raise TimeoutError(f"no answer for {self._waited:g} s") from error
            raise
        if self._owner is not None:
            self._owner.patience = PATIENCE_SECONDS
