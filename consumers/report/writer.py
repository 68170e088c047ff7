"""Keep `index.html` in a folder up to date while a service runs. The service does not change."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from consumers.config.schema import Settings
from consumers.errors import Stop
from consumers.report.charts import elapsed
from consumers.report.example import Example
from consumers.report.metric_history import MetricHistory
from consumers.report.page import Extra, page
from consumers.report.svg_chart import Chart
from consumers.service.service import Service
from serving.worker import Worker

log = structlog.get_logger()


def of_service(folder: Path, title: str, service: Service) -> Writer:
    """Return the writer of a service that is made and not started yet."""
    return Writer(
        folder, title, service.settings, MetricHistory(service.metrics, service.pipeline.reporter.story)
    )


class Writer:
    """A context in which a thread samples and writes every `every` seconds, and once more at the end.

    Entering raises Stop if the folder cannot be written; a disk that fills up later is a warning.
    """

    def __init__(
        self, folder: Path, title: str, settings: Settings, recorder: MetricHistory, every: float = 15.0
    ) -> None:
        self.path = folder / "index.html"
        self.more: Sequence[Chart] = ()
        """Charts that come first from the next writing on."""
        self.example: Example | None = None
        """One user's lists, shown from the next writing on."""
        self._title = title
        self._settings = settings
        self._recorder = recorder
        self._every = every
        self._ending = threading.Event()
        self._thread = Worker("report", self._run, again=1.0)

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.write()
        except OSError as error:
            raise Stop(f"--report {self.path.parent}: {error.strerror}") from error
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()
        self._try(last=True)

    def write(self, last: bool = False) -> None:
        """Replace the whole file, so that a reader never sees half of it. Raises OSError.

        last: nothing comes after it, so a browser need not load the page again.
        """
        samples = self._recorder.samples
        lasted = elapsed(samples[-1].seconds if samples else 0.0)
        when = f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S %Z}, {lasted} after the start"
        extra, again = Extra(self.more, self.example), None if last else round(self._every)
        text = page(self._title, when, self._settings, self._recorder, extra, again)
        beside = self.path.with_suffix(".new")
        beside.write_text(text, encoding="utf-8")
        beside.replace(self.path)

    def _run(self) -> None:
        waited = 0.0
        while not self._ending.wait(1.0):
            self._recorder.tick()
            waited += 1.0
            if waited >= self._every:
                waited = 0.0
                self._try()

    def _try(self, last: bool = False) -> None:
        try:
            if last:
                self._recorder.tick(now=True)
            self.write(last)
        except OSError as error:
            log.warning("report not written", path=str(self.path), error=error.strerror)
        except Exception as error:  # a page about the service must not end it
            log.error("report not written", path=str(self.path), exc_info=error)
