"""Read what a broker sends right before it ends a connection, for example after a wrong password.

kafka-python 3.0.12 drops those bytes if they arrive together with the end: it then knows only that the socket is
disconnected. Its `_sock_recv` returns both, and the end comes again with the next read.
"""

from __future__ import annotations

from typing import Any

from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport


def _hear(transport: Any) -> None:
    receive = transport._sock_recv

    def received(self: Any) -> tuple[bytes, Exception | None]:
        data, error = receive(self)
        return data, None if data else error

    transport._sock_recv = received


for _transport in (KafkaTCPTransport, KafkaSSLTransport):
    _hear(_transport)
