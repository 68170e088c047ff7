"""Start a service that uses Apache Kafka as a user with only the rights that it needs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.kafka.apache_kafka import Address
from tests.support.kafka.kafka_rights import Right, Rights, parsed, set_password
from tests.support.paths import ROOT
from tests.support.service.service_world import DOMAINS, World

PASSWORD = "correct-horse-battery"
LISTED = ROOT / "deploy" / "docs" / "kafka.md"


def listed_rights(prefix: str) -> list[Right]:
    """Return the rights that the documentation lists, for the topics of a `World`."""
    rows = [line.split("`")[1] for line in LISTED.read_text().splitlines() if line.startswith("| `")]
    names = {
        "interactions.<domain>": [f"interactions.{prefix}.{d}" for d in DOMAINS],
        "items.<domain>": [f"items.{prefix}.{d}" for d in DOMAINS],
        "crosscurrent.forget": [f"{prefix}.forget"],
        "crosscurrent.dead-letters": [f"{prefix}.dead"],
        "crosscurrent.canary": [f"{prefix}.canary"],
        "crosscurrent": [prefix],
    }
    rights = []
    for row in rows:
        if " on " not in row:  # of another table
            continue
        operation, kind, name = parsed(row)
        rights += [(operation, kind, real) for real in names[name]]
    return rights


class UserWorld:
    """`world`, whose service logs in by SCRAM as a user of its own; `rights` are this user's."""

    def __init__(
        self, folder: Path, kafka: Address, url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.kafka, self.user = kafka, f"{prefix}-{os.getpid()}"
        self.password_file = folder / "password"
        self.set_password(PASSWORD)
        self.rights = Rights(kafka.bootstrap, f"User:{self.user}")
        self.world = World(folder, kafka.bootstrap, url, prefix)
        for key, value in {
            "BOOTSTRAP_SERVERS": f'["{kafka.at("SASL")}"]',
            "SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "SASL_MECHANISM": "SCRAM-SHA-256",
            "SASL_USERNAME": self.user,
            "SASL_PASSWORD_FILE": str(self.password_file),
        }.items():
            monkeypatch.setenv(f"CROSSCURRENT_KAFKA__{key}", value)

    def set_password(self, password: str, tell: bool = True) -> None:
        """Change the password at the broker, and on request in the service's file."""
        set_password(self.kafka.bootstrap, self.user, password)
        if tell:
            self.password_file.write_text(f"{password}\n")

    def close(self) -> None:
        self.world.close()
        self.rights.close()
