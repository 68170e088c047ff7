"""Put TLS and SASL before the embedded broker, which has neither: clients reach it through a front."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, SaslAuthenticationFailedError, UnsupportedSaslMechanismError
from kafka.protocol.sasl import (
    SaslAuthenticateRequest,
    SaslAuthenticateResponse,
    SaslHandshakeRequest,
    SaslHandshakeResponse,
)

from consumers.demo.embedded_servers import HOST, Broker, free_port
from tests.support.sasl import DeniedError, begin
from tests.support.secure_store import PASSWORD, USER, certificate

API_VERSIONS = 18
LARGEST = 104_857_600
"""Bytes: Kafka's own limit (socket.request.max.bytes)."""


class Front:
    """Takes connections on `port` and passes their bytes to a plain `target` port, on its own thread.

    `context`: for TLS. `mechanisms`: until a client has logged in by one of them, it may only ask for API versions.
    """

    def __init__(self, target: int, context: ssl.SSLContext | None, mechanisms: list[str]) -> None:
        self.port, self._target, self._context = free_port(), target, context
        self.mechanisms = mechanisms
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5.0)

    def _run(self) -> None:
        self._loop.set_exception_handler(lambda *_: None)  # clients may give up in the middle
        self._loop.run_until_complete(self._listen())
        self._loop.run_forever()
        if self._server is not None:
            self._server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.1))
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, self.port, ssl=self._context)

    async def _hang_up(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.transport.abort()

    @contextlib.contextmanager
    def silence(self) -> Iterator[list[socket.socket]]:
        """End all connections; accept new ones and answer nothing. Yield those: they are never answered."""
        asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop).result(5.0)
        taken: list[socket.socket] = []

        def take(listener: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(listener.accept()[0])

        with socket.create_server((HOST, self.port)) as listener:
            threading.Thread(target=take, args=[listener], daemon=True).start()
            yield taken
            listener.shutdown(socket.SHUT_RDWR)
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(5.0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(HOST, self._target)
        self._open.add(writer)
        try:
            if self.mechanisms and not await self._log_in(reader, writer, there, back):
                # Kafka waits this long, too (connection.failed.authentication.delay.ms).
                await asyncio.sleep(0.1)
                return
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
        except asyncio.IncompleteReadError:
            pass  # the client has gone
        finally:
            self._open.discard(writer)
            writer.close()
            back.close()

    async def _log_in(self, reader: Any, writer: Any, there: Any, back: Any) -> bool:
        login = None
        while True:
            frame = await _frame(reader)
            api, version = struct.unpack(">hh", frame[:4])
            if api == API_VERSIONS:
                back.write(struct.pack(">i", len(frame)) + frame)
                answer = await _frame(there)
                writer.write(struct.pack(">i", len(answer)) + answer)
            elif api == SaslHandshakeRequest.API_KEY:
                asked = SaslHandshakeRequest.decode(frame, version=version, header=True)
                known = asked.mechanism in self.mechanisms
                code = 0 if known else UnsupportedSaslMechanismError.errno
                _send(writer, asked, SaslHandshakeResponse(
                    version=version, error_code=code, mechanisms=self.mechanisms
                ))  # fmt: skip
                if not known:
                    return False
                login = begin({USER: PASSWORD}, asked.mechanism)
            elif api == SaslAuthenticateRequest.API_KEY and login is not None:
                said = SaslAuthenticateRequest.decode(frame, version=version, header=True)
                problem, token = None, b""
                try:
                    token = login.answer(said.auth_bytes)
                except DeniedError as error:
                    problem = str(error)
                _send(writer, said, SaslAuthenticateResponse(
                    version=version, error_code=SaslAuthenticationFailedError.errno if problem else 0,
                    error_message=problem, auth_bytes=token, session_lifetime_ms=0,
                ))  # fmt: skip
                if problem or login.done:
                    await writer.drain()
                    return not problem
            else:
                return False

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()


async def _frame(reader: asyncio.StreamReader) -> bytes:
    (size,) = struct.unpack(">i", await reader.readexactly(4))
    if size > LARGEST:  # this is no frame: it may be the beginning of TLS
        raise asyncio.IncompleteReadError(b"", size)
    return await reader.readexactly(size)


def _send(writer: asyncio.StreamWriter, request: Any, response: Any) -> None:
    response.with_header(correlation_id=request.header.correlation_id)
    writer.write(bytes(response.encode(header=True, framed=True)))


class SecureBroker(Broker):
    """An embedded broker whose clients come through the front.

    protocol: SSL, SASL_PLAINTEXT or SASL_SSL. client_certificates: TLS clients must show one that `cert` signed.
    """

    def __init__(
        self,
        folder: Path,
        protocol: str,
        mechanisms: list[str],
        client_certificates: bool,
    ) -> None:
        super().__init__(port=free_port())
        self.protocol = protocol
        self.cert, self.key = certificate(folder)
        context = None
        if protocol.endswith("SSL"):
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(self.cert, self.key)
            if client_certificates:
                context.load_verify_locations(self.cert)
                context.verify_mode = ssl.CERT_REQUIRED
        self.front = Front(self.port, context, mechanisms if protocol.startswith("SASL") else [])

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.front.port}"

    def client(self) -> dict[str, Any]:
        """Return the options of a Kafka client."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self.protocol,
        }
        if self.protocol.endswith("SSL"):
            options |= {
                "ssl_cafile": str(self.cert),
                "ssl_certfile": str(self.cert),
                "ssl_keyfile": str(self.key),
            }
        if self.protocol.startswith("SASL"):
            mechanism = self.front.mechanisms[0]
            options |= {
                "sasl_mechanism": mechanism,
                "sasl_plain_username": USER,
                "sasl_plain_password": PASSWORD,
            }
        return options

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
