"""Run a real Prometheus that scrapes some processes each second and evaluates the shipped rules."""

from __future__ import annotations

import json
import math
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from consumers.demo.embedded_servers import HOST, NotInstalledError, Server
from tests.support.http_servers import answers_200
from tests.support.paths import ROOT

RULES = ROOT / "deploy" / "prometheus"


def shortened(rules: str) -> str:
    """Return the rules, changed so that an alert fires after a second instead of minutes."""
    return re.sub(r"for: \d+[mh]$", "for: 1s", rules, flags=re.MULTILINE)


class Prometheus(Server):
    """Scrapes `targets` as the job crosscurrent; keeps its data in `folder`."""

    name = "prometheus"

    def __init__(self, folder: Path, *targets: str) -> None:
        super().__init__(log_dir=folder)
        self._folder = folder
        folder.mkdir()
        for name in ("rules.yaml", "alerts.yaml"):
            (folder / name).write_text(shortened((RULES / name).read_text()))
        config = (RULES / "prometheus.yaml").read_text()
        config = config.replace("interval: 15s", "interval: 1s").replace(
            '"crosscurrent:9464"', json.dumps(targets)[1:-1]
        )
        (folder / "prometheus.yaml").write_text(config)

    def command(self) -> Sequence[str]:
        if (binary := shutil.which("prometheus")) is None:
            raise NotInstalledError("prometheus is not on PATH: apt-get install prometheus")
        return [
            binary,
            f"--config.file={self._folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address={HOST}:{self.port}",
        ]

    def answers(self, seconds: float) -> bool:
        return answers_200(f"http://{HOST}:{self.port}/-/ready", seconds)

    def get(self, path: str, **parameters: str) -> Any:
        """Return an answer of the API. Raises ValueError with Prometheus' words for a query that does not parse."""
        url = f"http://{HOST}:{self.port}{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise ValueError(f"{parameters}: {error.read().decode()}") from error

    def query(self, expr: str) -> list[Any]:
        """Return the series of an instant query."""
        return list(self.get("/api/v1/query", query=expr)["result"])

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire, without their prefix."""
        return self._names('ALERTS{alertstate="firing"}')

    def fired(self, seconds: float) -> set[str]:
        """Return the names of the alerts that fired within the last `seconds`."""
        return self._names(f'last_over_time(ALERTS{{alertstate="firing"}}[{math.ceil(seconds)}s])')

    def _names(self, expr: str) -> set[str]:
        return {series["metric"]["alertname"].removeprefix("Crosscurrent") for series in self.query(expr)}
