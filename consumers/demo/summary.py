"""Say what the demo showed: its figures, one user's lists, and what to do next."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

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
from serving.reader import Reader


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


def show_account(counted: Account, seconds: float, console: Console) -> None:
    """Print what became of all events, of the demo's own and of others'."""
    others = f" and {counted.others:,} of others" if counted.others else ""
    forgotten = f"{counted.forgotten:,} of forgotten users, " if counted.forgotten else ""
    console.print(
        joined(
            (f"{counted.fed:,}", "bold"),
            f" events of the demo{others} in {seconds:.0f} s: {counted.learned:,} learned, "
            f"{counted.duplicates:,} duplicates, {counted.dead_letters:,} dead letters, {forgotten}",
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
    table = Table(f"every event of {target} predicted before it was learned", box=None, padding=(0, 2, 0, 0))
    for name in ("with transfer", "without", "better by"):
        table.add_column(name, justify="right")
    for metric in (RMSE, NDCG_LOSS):
        for name, overall in ((WHOLE, True), (LATEST, False)):
            full, alone = (errors.error(target, metric, arm, overall) for arm in ("full", "target_only"))
            if full is not None and alone is not None:
                cells = (figure(metric, full), figure(metric, alone), gain(metric, full, alone))
                table.add_row(f"{NAMES[metric]}, {name}", *cells)
    return table


def _show_list(service: Service, example: Example | None, target: str, console: Console) -> None:
    full = service.arms.full
    latest = next((u for u in reversed(full.users.ids()) if full.events_of(u)[target]), None)
    user = latest if example is None else example.user
    if user is None:
        return
    redis = service.settings.redis
    console.print(plain("\nTheir list, as any service reads it", "bold"))
    show_recommendations(Reader(redis.url, redis.prefix), user, target, 3, console)
    console.print(plain(f"  redis-cli -u {redis.url} GET 'cc:rec:{{{user}}}:{target}'"), soft_wrap=True)
    read = f"Reader('{redis.url}').recommend('{user}', '{target}', 3)"
    console.print(plain(f'  python -c "from serving.reader import Reader; print({read})"'), soft_wrap=True)


def show_addresses(service: Service, options: DemoOptions, said: list[str], console: Console) -> None:
    """Print where the servers that stay up listen, and which commands there are to try."""
    assert service.health is not None
    settings = service.settings
    target, _ = headline(service)
    for line in said:
        console.print(plain(line, "yellow"))
    console.print(plain("\nEverything stays up until Ctrl-C", "bold"))
    rows = {
        "Kafka": ", ".join(settings.kafka.bootstrap_servers),
        "Redis": settings.redis.url,
        "metrics, health": f"http://{settings.metrics.host}:{service.health.port}/metrics, /readyz",
        "config": f"{options.config}, for all commands:",
    }
    for name, where in rows.items():
        console.print(plain(f"  {name:16} {where}"), soft_wrap=True)
    for words in (
        "check", f"recommend -u alice -d {target}", f"explain --user alice --item ITEM --domain {target}",
        "forget alice", "dead-letters list",
    ):  # fmt: skip
        console.print(plain(f"    crosscurrent {words} -c {options.config}"), soft_wrap=True)


def show_next(options: DemoOptions, target: str, console: Console) -> None:
    """Print three things to do next: own events, own files, the documentation."""
    console.print(plain("\nWhat next", "bold"))
    if options.keep:
        event = f"send JSON to the topic interactions.{target}; README, “Produce events”, has the code"
    else:
        event = "crosscurrent demo --keep leaves broker, store and service running for them"
    lines = {
        "own events": event,
        "own history": "crosscurrent demo --replay ratings.csv --replay items.csv",
        "to read": "README.md, then deploy/docs/index.md; other subjects: crosscurrent demo --help",
    }
    for name, what in lines.items():
        console.print(plain(f"  {name:12} {what}"), soft_wrap=True)
