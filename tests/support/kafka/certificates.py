"""Make certificates for brokers and clients under test, signed by an authority of their own."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
NAMES = {
    "broker": "DNS:localhost,IP:127.0.0.1",
    "elsewhere": "DNS:kafka.example.org",
    "expired": "IP:127.0.0.1",
}
"""Certificates of brokers, and the names that each one is valid for."""


class Pair(NamedTuple):
    """Files of a certificate and its key, PEM."""

    cert: Path
    key: Path


class Authority:
    """Signs certificates in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.cert = folder / "ca.pem"

    def make(self) -> None:
        """Make the authority itself, certificates of brokers as PEM stores, and one of a client."""
        self._openssl(
            "req",
            "-x509",
            *CURVE,
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-days",
            "2",
            "-subj",
            "/CN=test-ca",
        )
        for name, valid_for in NAMES.items():
            made = self.sign(name, valid_for, days=-1 if name == "expired" else 2)
            self.store(name).write_text(made.key.read_text() + made.cert.read_text())
        self.sign("client", "DNS:client")

    def sign(self, name: str, valid_for: str, days: int = 2) -> Pair:
        """Make a certificate with the common name `name`. days: how long it is valid, negative if it has expired."""
        self._openssl("req", *CURVE, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (self._folder / f"{name}.cnf").write_text(f"subjectAltName={valid_for}\n")
        self._openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", f"{name}.pem", "-days", str(days), "-extfile", f"{name}.cnf",
        )  # fmt: skip
        return self.pair(name)

    def pair(self, name: str) -> Pair:
        return Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")

    def store(self, name: str) -> Path:
        """Return the file that Java reads as a key store."""
        return self._folder / f"{name}.store.pem"

    def _openssl(self, *words: str) -> None:
        subprocess.run(["openssl", *words], check=True, cwd=self._folder, capture_output=True)
