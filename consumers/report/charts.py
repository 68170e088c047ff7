"""Make the page's charts, table and words from recorded metrics."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import NamedTuple

from consumers.config.schema import Settings
from consumers.report.figures import BETTER, IN_WORDS, LATEST, LATEST_MEANS, NAMES, WHOLE, figure, gain, value
from consumers.report.metric_history import MetricHistory, Points, Told
from consumers.report.svg_chart import COLORS, Chart, ChartLine, ChartMark, number, seconds
from consumers.service.telemetry import line


class DomainRow(NamedTuple):
    """One domain in the table; an error is None if there is none."""

    domain: str
    role: str
    events: int
    errors: dict[str, tuple[float | None, float | None]]
    """By metric: error with transfer, error without."""
    drifts: int
    dead_letters: int


def rows(settings: Settings, recorder: MetricHistory) -> list[DomainRow]:
    found = []
    for name, domain in settings.domains.items():
        errors = {
            metric: (
                recorder.latest("prequential_error", name, metric, "full"),
                recorder.latest("prequential_error", name, metric, "target_only"),
            )
            for metric in IN_WORDS
        }
        events, drifts, letters = (
            int(recorder.total(metric, name))
            for metric in ("events_total", "drift_total", "dead_letters_total")
        )
        found.append(DomainRow(name, domain.role, events, errors, drifts, letters))
    return found


def headlines(settings: Settings, recorder: MetricHistory) -> list[tuple[str, str]]:
    """Return (name, value) of the few figures at the top of the page."""
    fresh = [recorder.overall_quantile(share, "freshness_seconds") for share in (0.5, 0.99)]
    canary = recorder.overall_quantile(0.5, "canary_seconds")
    found = [("events learned", f"{recorder.total('events_total'):,.0f}")]
    for row in rows(settings, recorder):
        if row.role == "source":
            continue
        for metric, (full, target_only) in row.errors.items():
            if text := gain(metric, full, target_only):
                found.append((f"{row.domain}: {NAMES[metric]} better by transfer, {LATEST}", text))
    found += [
        (f"readable after ({name}), {WHOLE}", _seconds(value))
        for name, value in zip(("median", "99 %"), fresh, strict=True)
    ]
    found.append(("canary (median)", _seconds(canary)))
    found.append(("canaries lost", f"{recorder.total('canary_lost_total'):,.0f}"))
    return found


def charts(settings: Settings, recorder: MetricHistory) -> list[Chart]:
    """Return the charts of error, freshness, throughput and lag; targets come first."""
    targets = sorted(settings.domains, key=lambda name: settings.domains[name].role == "source")
    errors = [
        _error(name, settings.domains[name].role, metric, recorder) for name in targets for metric in IN_WORDS
    ]
    found = [chart for chart in errors if chart is not None]
    names = list(settings.domains)
    return [*found, _freshness(recorder), _throughput(names, recorder), _lag(names, recorder)]


def _freshness(recorder: MetricHistory) -> Chart:
    lines = [
        ChartLine(
            f"{who}, {'half' if share == 0.5 else '99 %'}",
            recorder.quantile(share, name),
            color,
            share == 0.99,
        )
        for color, (name, who) in enumerate((("canary_seconds", "canary"), ("freshness_seconds", "events")))
        for share in (0.5, 0.99)
    ]
    return Chart(
        "Freshness: from Kafka to readable in Redis",
        "Half of the records, and 99 %, are readable sooner. Canaries are the service's own records, which come "
        "without events, too.",
        lines, seconds, seconds, log=True,
    )  # fmt: skip


def _throughput(names: list[str], recorder: MetricHistory) -> Chart:
    lines = [
        ChartLine(name, _averaged(recorder.rate("events_total", name)), n % COLORS)
        for n, name in enumerate(names)
    ]
    lines.append(ChartLine("dead letters", _averaged(recorder.rate("dead_letters_total")), 5, dashed=True))
    return Chart(
        "Throughput: records a second", "Events learned, by domain, and records that could not be used.",
        lines, number, seconds, from_zero=True,
    )  # fmt: skip


def _lag(names: list[str], recorder: MetricHistory) -> Chart:
    lines = [
        ChartLine(name, recorder.values("consumer_lag_seconds", name), n % COLORS)
        for n, name in enumerate(names)
    ]
    return Chart(
        "Lag: how long the oldest record that is not learned has waited",
        "Near 0 where the service keeps up. A line that climbs: more comes in than is learned.",
        lines, seconds, seconds, from_zero=True,
    )  # fmt: skip


def _error(domain: str, role: str, metric: str, recorder: MetricHistory) -> Chart | None:
    def points(arm: str) -> Points:
        errors = _after_warm_up(recorder.values("prequential_error", domain, metric, arm))
        return [(at, value(metric, error)) for at, error in errors]

    full, target_only = points("full"), points("target_only")
    if not full:
        return None
    target = role != "source"
    lines = [ChartLine("with transfer" if target else NAMES[metric], full, 0)]
    note = f"Each event is predicted before it is learned; {BETTER[metric]}. Of the {LATEST}: {LATEST_MEANS}."
    if target:
        followed = points("followed")
        lines.append(ChartLine("without transfer", target_only, 1, dashed=True))
        if followed and followed != full:
            lines.append(ChartLine("what users get", followed, 2))
        note += " Upright lines: drifts seen, and verdicts on what was tried against them."
    return Chart(
        f"{domain}: {IN_WORDS[metric]}, {LATEST}", note, lines, number, seconds, marks(domain, recorder)
    )


def _after_warm_up(points: Points) -> Points:
    """Drop the first samples if there are enough: errors of the first few events dwarf all others."""
    return points[max(1, len(points) // 20) :] if len(points) > 10 else points


def _averaged(points: Points, width: int = 3) -> Points:
    """Average each point with those before it: producers send in bursts."""
    out = []
    for n, (x, _) in enumerate(points):
        near = [y for _, y in points[max(0, n - width + 1) : n + 1]]
        out.append((x, sum(near) / len(near)))
    return out


def marks(domain: str, recorder: MetricHistory) -> list[ChartMark]:
    """Return marks for the drifts and verdicts of a domain. Trials are only in the story."""
    return [
        ChartMark(told.seconds, line(told.events, told.notice), told.notice.outcome or "drift")
        for told in recorder.told
        if told.notice.domain == domain and not told.notice.started
    ]


def story(recorder: MetricHistory) -> list[tuple[str, str, str]]:
    """Return (time, kind, words) of each notice, oldest first."""
    return [(elapsed(told.seconds), _kind(told), line(told.events, told.notice)) for told in recorder.told]


def elapsed(value: float) -> str:
    """Write hours, minutes and seconds since the start."""
    return str(timedelta(seconds=round(value)))


def _kind(told: Told) -> str:
    return "trial" if told.notice.started else told.notice.outcome or "drift"


def in_words(settings: Settings, recorder: MetricHistory) -> list[str]:
    """Return a few sentences for each domain: what transfer brings, and the verdicts on drifts."""
    found = []
    for row in rows(settings, recorder):
        said = [f"{row.domain} ({row.role}): {row.events:,} events learned."]
        for metric, (full, target_only) in row.errors.items():
            if row.role != "source" and (better := gain(metric, full, target_only)):
                said.append(
                    f"Over the {LATEST}, its {NAMES[metric]} is {figure(metric, full)} with transfer and "
                    f"{figure(metric, target_only)} without: {better.lstrip('+-')} "
                    f"{'better' if better[0] == '+' else 'worse'}."
                )
        said.append(_drifts(row, recorder))
        found.append(" ".join(said))
    return found


def _drifts(row: DomainRow, recorder: MetricHistory) -> str:
    if not row.drifts:
        return "No drift was seen."
    kinds = Counter(_kind(told) for told in recorder.told if told.notice.domain == row.domain)
    verdicts = [f"{kinds[kind]} {kind}" for kind in ("promoted", "dropped", "undecided") if kinds[kind]]
    answers = "1 answer was" if kinds["trial"] == 1 else f"{kinds['trial']} answers were"
    answered = f"{answers} tried beside the champion" if kinds["trial"] else "nothing was tried"
    ends = f": {', '.join(verdicts)}" if verdicts else ""
    return f"{row.drifts} {'drift was' if row.drifts == 1 else 'drifts were'} seen; {answered}{ends}."


def _seconds(value: float | None) -> str:
    return "–" if value is None else seconds(value)
