"""Extend kafka-python's network client: it ends in time, and leaves nothing behind if no broker answers.

In 3.0.12 an admin client or consumer that cannot connect leaves its thread and four open files: after an hour without a
broker the process would have no files left. And a client that is closed waits for its thread without a limit.
"""

from __future__ import annotations

from typing import Any

from kafka.net.compat import KafkaNetClient

CLOSE_MS = 2_000


class NetClient(KafkaNetClient):  # type: ignore[misc]  # kafka-python has no types
    """The `kafka_client` of every client."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        connect = self._manager.bootstrap

        def connect_or_close(*args: Any, **limits: Any) -> None:
            try:
                connect(*args, **limits)
            except BaseException:
                self.close()
                raise

        self._manager.bootstrap = connect_or_close

    def close(self, node_id: Any = None) -> None:
        """Close one connection, or all and the thread. A thread that does not end is left: it ends with the process."""
        if node_id is not None:
            super().close(node_id)
            return
        self._manager.close()
        thread = self._net._io_thread
        self._net.stop(timeout_ms=CLOSE_MS)
        if thread is None or not thread.is_alive():
            self._net.close()
