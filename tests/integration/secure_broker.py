"""The embedded broker behind TLS: it has none of its own, so clients reach it through a front that ends theirs."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Sequence
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from consumers.embedded import HOST, Broker, free_port
from tests.integration.secure_store import certificate


class Front:
    """Takes TLS connections on `port` and passes what they say to a plain `target` port, from a thread of its own."""

    def __init__(self, target: int, cert: Path, key: Path) -> None:
        self.port, self._target = free_port(), target
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(cert, key)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5.0)

    def _run(self) -> None:
        self._loop.set_exception_handler(lambda *_: None)  # clients that give up in the middle
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, HOST, self.port, ssl=self._context)
        )
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.1))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(HOST, self._target)
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()


class SecureBroker(Broker):
    """Tells its clients to come through the front."""

    def __init__(self, folder: Path) -> None:
        super().__init__(port=free_port())
        self.cert, key = certificate(folder)
        self.front = Front(self.port, self.cert, key)

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.front.port}"

    def client(self) -> dict[str, str]:
        """What a Kafka client needs."""
        return {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": "SSL",
            "ssl_cafile": str(self.cert),
        }

    def command(self) -> Sequence[str]:
        line = list(super().command())
        line[line.index("--listener-url") + 1] = f"tcp://{HOST}:{self.port}"
        return line

    def answers(self, seconds: float) -> bool:
        try:
            with KafkaAdminClient(**self.client(), bootstrap_timeout_ms=max(1, int(seconds * 1000))) as admin:
                admin.list_topics()
        except (KafkaError, OSError):
            return False
        return True

    def stop(self) -> None:
        super().stop()
        self.front.close()
