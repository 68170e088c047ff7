"""Run `crosscurrent bench` on Apache Kafka: `python -m tests.bench.on_apache_kafka [ROWS] [OPTIONS of bench]`.

It starts the broker whose jars CROSSCURRENT_KAFKA_LIBS names, and the schema registry if there is one beside them.
Without the variable it measures on the embedded broker.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from consumers.demo.embedded_servers import NotInstalledError
from tests.support.kafka.apache_kafka import FULL_JAVA, VARIABLE, started_kafka
from tests.support.log.registry import SchemaRegistry


@contextlib.contextmanager
def kafka_if_there() -> Iterator[str]:
    """Yield the address of a broker of Apache Kafka; "" without the variable."""
    if not os.environ.get(VARIABLE):
        yield ""
        return
    with (
        tempfile.TemporaryDirectory(prefix="crosscurrent-bench-") as folder,
        started_kafka(Path(folder), java=FULL_JAVA) as kafka,
    ):
        yield kafka.bootstrap


def main() -> None:
    words: list[str] = []
    with contextlib.ExitStack() as stack:
        if kafka := stack.enter_context(kafka_if_there()):
            words += ["--kafka", kafka]
            with contextlib.suppress(NotInstalledError):
                words += ["--registry", stack.enter_context(SchemaRegistry()).url]
        line = [sys.executable, "-m", "consumers.cli", "bench", *sys.argv[1:], *words]
        code = subprocess.run(line, check=False).returncode
    sys.exit(code)


if __name__ == "__main__":
    main()
