"""Run a redis-server with TLS, one ACL user, and its own certificate."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path

from consumers.demo.embedded_servers import HOST, Store

USER, PASSWORD = "crosscurrent", "correct-horse-battery"


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a self-signed certificate and key for 127.0.0.1; return their paths."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    line = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    line += ["-days", "2", "-subj", "/CN=localhost", "-addext", f"subjectAltName=IP:{HOST},DNS:localhost"]
    line += ["-keyout", str(key), "-out", str(cert)]
    subprocess.run(line, check=True, capture_output=True)
    return cert, key


class SecureStore(Store):
    """A server whose user has only the rights of deploy/docs/security.md, on keys under `prefix`."""

    def __init__(self, folder: Path, prefix: str) -> None:
        super().__init__("redis")
        self.cert, self.key = certificate(folder)
        self._acl = folder / "users.acl"
        rights = f"~{prefix}:* +ping +set +get +del +hset +hget +expire +scan +info"
        admin = "user admin on >administrator ~* &* +@all"
        self._acl.write_text(f"user default off\nuser {USER} on >{PASSWORD} {rights}\n{admin}\n")

    @property
    def url(self) -> str:
        return f"rediss://{HOST}:{self.port}/0"

    def command(self) -> Sequence[str]:
        plain = list(super().command())
        plain[plain.index("--port") + 1] = "0"
        tls = [
            "--tls-port",
            str(self.port),
            "--tls-cert-file",
            str(self.cert),
            "--tls-key-file",
            str(self.key),
        ]
        return [*plain, *tls, "--tls-auth-clients", "no", "--aclfile", str(self._acl)]

    def answers(self, seconds: float) -> bool:
        return self.speaks(self.port, seconds)

    def speaks(self, port: int, seconds: float) -> bool:
        """Return whether a server with our certificate asks for a user at this port."""
        context = ssl.create_default_context(cafile=str(self.cert))
        try:
            with (
                socket.create_connection((HOST, port), timeout=min(seconds, 1.0)) as plain,
                context.wrap_socket(plain, server_hostname=HOST) as secure,
            ):
                secure.sendall(b"PING\r\n")
                return secure.recv(64).startswith(b"-NOAUTH")
        except OSError:
            return False
