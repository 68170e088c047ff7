"""Read the metrics of a process of the service."""

from __future__ import annotations

from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

_SUMMED = {
    "crosscurrent_events_total": "learned",
    "crosscurrent_consumer_lag_records": "lag",
    "crosscurrent_facts_lag_records": "facts_lag",
    "process_cpu_seconds_total": "cpu_seconds",
    "process_resident_memory_bytes": "memory",
}
"""Metrics whose values are added up over their labels, and the field that they go to."""


class Reading(NamedTuple):
    """What a process told of itself. at: seconds of a steady clock.

    learned: own events since its start. folded: events of other shards since its start. lag: records of Kafka that it
    has not learned. facts_lag: records of facts that it has not folded. memory: bytes.
    """

    at: float = 0.0
    learned: float = 0.0
    folded: float = 0.0
    lag: float = 0.0
    facts_lag: float = 0.0
    cpu_seconds: float = 0.0
    memory: float = 0.0

    @property
    def waiting(self) -> float:
        """Records of any kind that are not learned yet."""
        return self.lag + self.facts_lag


def reading_of(text: str, at: float) -> Reading:
    """Return what a page of metrics tells. Only the lines that are needed are parsed."""
    heads = (*_SUMMED, "crosscurrent_facts_total")
    lines = [line for line in text.splitlines() if line.startswith(heads)]
    found: dict[str, float] = {}
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        for sample in family.samples:
            field = _SUMMED.get(sample.name)
            if sample.labels.get("direction") == "folded":
                field = "folded"
            if field is not None:
                found[field] = found.get(field, 0.0) + sample.value
    return Reading(at=at, **found)


def cpu_share(readings: tuple[Reading, ...]) -> float | None:
    """Return the share of one core that a process used between the first and the last reading; None without two."""
    if len(readings) < 2 or readings[-1].at <= readings[0].at:
        return None
    return (readings[-1].cpu_seconds - readings[0].cpu_seconds) / (readings[-1].at - readings[0].at)
