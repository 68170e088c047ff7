"""Value each policy of the Open Bandit data from the other's log: `python -m tests.bench.open_bandit FILE.csv.gz`.

The file has rows of `campaign,policy,timestamp,item_id,position,click,propensity,f0,f1,f2,f3`: one shown item each, by
a uniform policy (`random`) or by Thompson sampling (`bts`), with its probability at its position. Each row becomes an
impression of one place. Its value is the clicks of a place, so it needs no click model.

Only the shown item's propensity is known. The other candidates of the Thompson policy get the share in which they stood
at that position in its log: as what it shows, when it is the target, and beside the row's own propensity, when it is
the log. Rows have no user; those with the same features count as one. Printed: the other policy's clicks a place in its
own log, and the values from this log, also of a policy that the command refuses.
"""

# ruff: noqa: T201  a script
from __future__ import annotations

import argparse
import csv
import gzip
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from consumers.evaluation.impressions.curves import parse_curve
from consumers.evaluation.impressions.exposures import read_exposures
from consumers.evaluation.impressions.figures import ESTIMATORS, estimates, log_figures
from consumers.evaluation.impressions.log import read_log
from consumers.evaluation.impressions.options import ImpressionOptions
from consumers.evaluation.impressions.policies import parse_policy

Row = dict[str, str]
TARGETS = {"random": ("bts", "probabilities:bts"), "bts": ("random", "uniform")}
"""The policy that is valued from each log, and its name on the command line."""


def shares(rows: list[Row], items: list[str]) -> dict[str, list[float]]:
    """Return by position the share of each item."""
    counts = Counter((row["position"], row["item_id"]) for row in rows)
    totals = Counter(row["position"] for row in rows)
    return {place: [counts[place, item] / totals[place] for item in items] for place in totals}


def write_log(path: Path, rows: list[Row], items: list[str], thompson: dict[str, list[float]]) -> None:
    """Write the rows of one policy as impressions."""
    at = {item: number for number, item in enumerate(items)}
    with path.open("w") as file:
        for row in rows:
            place, shown, p = row["position"], at[row["item_id"]], float(row["propensity"])
            chances = [1.0 / len(items)] * len(items) if row["policy"] == "random" else thompson[place].copy()
            rest = sum(chances) - chances[shown]
            chances = [chance * (1 - p) / rest for chance in chances]
            chances[shown] = p
            line = {
                "user_id": " ".join(row[f"f{n}"] for n in range(4)),
                "domain": row["campaign"],
                "items": [row["item_id"]],
                "places": [int(place)],
                "clicks": [row["item_id"]] * int(row["click"]),
                "pool": {
                    "items": items,
                    "probabilities": [chances],
                    "other_probabilities": {"bts": [thompson[place]]},
                },
            }
            file.write(json.dumps(line) + "\n")


def value(path: Path, policy: str) -> dict[str, Any]:
    """Return the figures of a policy and of the log."""
    options = ImpressionOptions(path, (policy,), curve="flat")
    log = read_log(options, parse_curve("flat"))
    exposures = read_exposures(options, log, [parse_policy(policy)])
    return log_figures(log) | estimates(exposures.policies[0], exposures, log)


def _percent(found: dict[str, float]) -> str:
    return f"{100 * found['value']:.2f} [{100 * found['low']:.2f}, {100 * found['high']:.2f}]"


def main(file: Path) -> None:
    """Print a row for each campaign and log."""
    with gzip.open(file, "rt") as lines:
        rows = list(csv.DictReader(lines))
    print("clicks a place in percent, with 95 % intervals")
    print(
        "campaign, log → target | target's own log | "
        + " | ".join(ESTIMATORS)
        + " | effective, hardly logged, refused"
    )
    for campaign in sorted({row["campaign"] for row in rows}):
        own = [row for row in rows if row["campaign"] == campaign]
        items = sorted({row["item_id"] for row in own})
        logs = {policy: [row for row in own if row["policy"] == policy] for policy in TARGETS}
        found = {}
        with tempfile.TemporaryDirectory() as folder:
            for policy, (_, name) in TARGETS.items():
                path = Path(folder) / f"{policy}.jsonl"
                write_log(path, logs[policy], items, shares(logs["bts"], items))
                found[policy] = value(path, name)
        for policy, (target, _) in TARGETS.items():
            figures = found[policy]
            print(
                f"{campaign}, {policy} → {target} | {_percent(found[target]['logged'])} | "
                + " | ".join(_percent(figures[name]) for name in ESTIMATORS)
                + f" | {figures['effective']:.0f}, {100 * figures['rare']:.1f} %, {figures['refused'] or 'no'}"
            )


if __name__ == "__main__":
    assert __doc__ is not None
    parser = argparse.ArgumentParser(
        "python -m tests.bench.open_bandit",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, metavar="FILE.csv.gz", help="rows of the Open Bandit data")
    main(parser.parse_args().file)
