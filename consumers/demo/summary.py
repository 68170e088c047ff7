"""Say what the demo showed: its figures, one user's lists, and what to do next."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from consumers.config.schema import MetricsConfig
from consumers.demo.accounts import Account
from consumers.demo.following import Followed
from consumers.demo.live_view import in_terminal
from consumers.demo.options import DemoOptions
from consumers.report.example import Example
from consumers.report.figures import LATEST, LATEST_MEANS, NAMES, WHOLE, figure, gain
from consumers.service.service import Service
from consumers.terminal.plain_text import joined, plain
from consumers.terminal.recommendations import show_recommendations
from models.assessment.prequential import NDCG_LOSS, RMSE
from serving.client import Reader


def headline(service: Service) -> tuple[str, str]:
    """Return the target and the metric that the demo compares: rating error if there are ratings."""
    target = next(name for name, d in service.settings.domains.items() if d.role != "source")
    rated = service.arms.prequential.count(target, RMSE, "full")
    return target, RMSE if rated else NDCG_LOSS


def figures(service: Service, went: Followed, counted: Account) -> dict[str, Any]:
    """Return the summary for `--json`. Speeds and freshness are those of the stream, up to its end."""
    fresh = np.array((service.freshness_ms or [])[went.burst.fresh : went.fresh] or [0.0])
    target, metric = headline(service)
    burst, errors = went.burst, service.arms.prequential
    return {
        "events_in": counted.fed,
        "events_of_others": counted.others,
        "learned": counted.learned,
        "duplicates": counted.duplicates,
        "dead_letters": counted.dead_letters,
        "forgotten": counted.forgotten,
        "impressions": counted.impressions,
        "lost": counted.lost,
        "seconds": round(went.seconds, 2),
        "events_per_second": round(went.learned / went.seconds, 1),
        "burst_events": burst.events,
        "burst_events_per_second": round(burst.events / burst.seconds, 1) if burst.events else None,
        "freshness_p50_ms": round(float(np.percentile(fresh, 50)), 1),
        "freshness_p99_ms": round(float(np.percentile(fresh, 99)), 1),
        "target": target,
        "error_metric": metric,
        "target_error_whole_stream": {
            arm: errors.error(target, metric, arm, overall=True) for arm in ("full", "target_only")
        },
        "target_error_latest_events": {
            arm: errors.error(target, metric, arm) for arm in ("full", "target_only")
        },
    }


def show_account(counted: Account, seconds: float | None, console: Console) -> None:
    """Print what became of all events, of the demo's own and of others'. seconds: None to leave the time out."""
    others = f" and {counted.others:,} of others" if counted.others else ""
    lasted = "" if seconds is None else f" in {seconds:.0f} s"
    forgotten = f"{counted.forgotten:,} of forgotten users, " if counted.forgotten else ""
    shown = f"{counted.impressions:,} impressions, " if counted.impressions else ""
    console.print(
        joined(
            (f"{counted.fed:,}", "bold"),
            f" events of the demo{others}{lasted}: {counted.learned:,} learned, "
            f"{counted.duplicates:,} duplicates, {counted.dead_letters:,} dead letters, {forgotten}{shown}",
            (f"{counted.lost:,} lost", "bold"),
        )
    )


def show_summary(
    service: Service, summary: dict[str, Any], example: Example | None, console: Console
) -> None:
    """Print speed, freshness, errors, then one user's lists, which are also read from the store."""
    if summary["burst_events"]:
        console.print(
            f"the first {summary['burst_events']:,} learned at {summary['burst_events_per_second']:,.0f} a second; "
            "from then on:"
        )
    console.print(
        f"fresh in the store after {summary['freshness_p50_ms']:.0f} ms (median), "
        f"{summary['freshness_p99_ms']:.0f} ms (99th percentile)"
    )
    console.print()
    console.print(f"every event of {summary['target']} was predicted before it was learned:")
    console.print(errors_table(service))
    console.print(f"{LATEST}: {LATEST_MEANS}", style="dim")
    if example is not None:
        console.print(plain("\nWhat transfer does for one user", "bold"))
        console.print(in_terminal(example))
    _show_list(service, example, summary["target"], console)


def errors_table(service: Service) -> Table:
    """Return the target's errors with transfer and without, over the whole stream and over the latest events."""
    target, _ = headline(service)
    errors = service.arms.prequential
    table = Table("", box=None, padding=(0, 2, 0, 0))
    for name in ("with transfer", "without", "better by"):
        table.add_column(name, justify="right")
    for metric in (RMSE, NDCG_LOSS):
        for name, overall in ((WHOLE, True), (LATEST, False)):
            full, alone = (errors.error(target, metric, arm, overall) for arm in ("full", "target_only"))
            if full is not None and alone is not None:
                cells = (figure(metric, full), figure(metric, alone), gain(metric, full, alone))
                table.add_row(f"{NAMES[metric]}, {name}", *cells)
    return table


def shown_user(service: Service, example: Example | None) -> str | None:
    """Return the user of the example; without one, the one who was seen last in the target."""
    if example is not None:
        return example.user
    full, (target, _) = service.arms.full, headline(service)
    return next((user for user in reversed(full.users.ids()) if full.events_of(user)[target]), None)


def _show_list(service: Service, example: Example | None, target: str, console: Console) -> None:
    user = shown_user(service, example)
    if user is None:
        return
    redis = service.settings.redis
    console.print(plain("\nTheir list, as any service reads it", "bold"))
    show_recommendations(Reader(redis.url, redis.prefix), user, target, 3, console)
    console.print()
    console.print(plain(f"  redis-cli -u {redis.url} GET 'cc:rec:{{{user}}}:{target}'"), soft_wrap=True)
    console.print(plain(f"  Reader('{redis.url}').recommend('{user}', '{target}', 3)"), soft_wrap=True)


def show_up(broker: str, store: str, console: Console, metrics: MetricsConfig | None = None) -> None:
    """Print where the servers listen that are up, and where the metrics will be."""
    at = "" if metrics is None else f", metrics http://{metrics.host}:{metrics.port}/metrics once it runs"
    line = f"broker {broker} and store {store} are up{at}; loading the learners …"
    console.print(plain(line, "dim"), soft_wrap=True)


def show_addresses(
    service: Service, options: DemoOptions, said: list[str], example: Example | None, console: Console
) -> None:
    """Print where the servers that stay up listen, and which commands there are to try."""
    assert service.health is not None
    settings = service.settings
    target, _ = headline(service)
    console.print(plain("\nEverything stays up until Ctrl-C", "bold"))
    for line in said:
        console.print(plain(f"  {line}", "yellow"))
    rows = {
        "Kafka": ", ".join(settings.kafka.bootstrap_servers),
        "Redis": settings.redis.url,
        "metrics": f"http://{settings.metrics.host}:{service.health.port}/metrics, and /readyz",
        "config": f"{options.config}, for every command:",
    }
    for name, where in rows.items():
        console.print(plain(f"  {name:12} {where}"), soft_wrap=True)
    user = shown_user(service, example) or "alice"
    got = Reader(settings.redis.url, settings.redis.prefix).recommend(user, target, 1).items
    item = got[0].id if got else "ITEM"
    for words in (
        "check", f"recommend -u {user} -d {target}", f"explain --user {user} --item {item} --domain {target}",
        f"forget {user}", "dead-letters list",
    ):  # fmt: skip
        console.print(plain(f"    crosscurrent {words} -c {options.config}"), soft_wrap=True)


def show_next(options: DemoOptions, target: str, console: Console) -> None:
    """Print three things to do next: own events, own files, the documentation."""
    console.print(plain("\nWhat next", "bold"))
    lines = {
        "own events": "crosscurrent demo --keep, then send to the addresses it prints",
        "own history": "crosscurrent demo --replay own.csv",
        "to read": "README.md; deploy/docs/index.md; crosscurrent demo --help",
    }
    if options.keep:
        lines["own events"] = f"send JSON to interactions.{target}, as README's “Produce events” does"
    for name, what in lines.items():
        console.print(plain(f"  {name:12} {what}"))
