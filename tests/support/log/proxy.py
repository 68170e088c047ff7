"""Put a TCP proxy between client and server that delays answers, cuts connections, or reaches no server."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from typing import Self

HOST = "127.0.0.1"


class Proxy:
    """A proxy to `port` on this machine. Answers come `delay` seconds late."""

    def __init__(self, port: int = 0) -> None:
        self.target = port
        self.delay = 0.0
        self.refusing = False
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.refusing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Break every open connection."""
        with self._lock:
            broken, self._open = self._open, set()
        for end in broken:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self.refusing:
                    raise OSError
                server = socket.create_connection((HOST, self.target), timeout=5)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._open |= {client, server}
            late: queue.Queue[tuple[float, bytes]] = queue.Queue()
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
            threading.Thread(target=self._collect, args=(server, late), daemon=True).start()
            threading.Thread(target=self._hand_out, args=(late, client, server), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65_536):
                server.sendall(data)
        self._close(client, server)

    def _collect(self, server: socket.socket, late: queue.Queue[tuple[float, bytes]]) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65_536):
                late.put((time.monotonic() + self.delay, data))
        late.put((0.0, b""))

    def _hand_out(
        self, late: queue.Queue[tuple[float, bytes]], client: socket.socket, server: socket.socket
    ) -> None:
        with contextlib.suppress(OSError):
            while True:
                due, data = late.get()
                if not data:
                    break
                time.sleep(max(0.0, due - time.monotonic()))
                client.sendall(data)
        self._close(client, server)

    def _close(self, *ends: socket.socket) -> None:
        with self._lock:
            self._open -= set(ends)
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
