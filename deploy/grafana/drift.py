"""Show what changed in the world, what was tried, and the verdicts."""

from __future__ import annotations

from deploy.grafana.panels import (
    COUNT,
    DOMAIN,
    PLAIN,
    RATE,
    SHARE,
    Builder,
    Query,
    bars,
    lines,
    number,
    rows,
    thresholds,
)

NOW: list[Builder] = [
    number(
        "Drifts in the last hour",
        COUNT,
        "Detections of all detectors. A few are normal after a real change (a campaign, a new catalogue). More than 10 "
        "in one domain are a storm: runbook, CrosscurrentDriftStorm.",
        Query(f"sum(increase(crosscurrent_drift_total{{{DOMAIN}}}[1h]))"),
        width=6,
    )
    .decimals(0)
    .thresholds(thresholds((None, "green"), (5, "orange"), (10, "red"))),
    number(
        "Actions promoted in the last day",
        COUNT,
        "Actions that a test found better and that took over. None after many drifts: the detectors are too eager, or "
        "the change is of another kind.",
        Query(f'sum(increase(crosscurrent_adaptation_actions_total{{{DOMAIN}, outcome="promoted"}}[1d]))'),
        width=6,
    )
    .decimals(0)
    .thresholds(thresholds((None, "blue"))),
    number(
        "Actions dropped in the last day",
        COUNT,
        "Actions that a test found worse and that were dropped. Nothing to do.",
        Query(f'sum(increase(crosscurrent_adaptation_actions_total{{{DOMAIN}, outcome="dropped"}}[1d]))'),
        width=6,
    )
    .decimals(0)
    .thresholds(thresholds((None, "blue"))),
    number(
        "Actions undecided in the last day",
        COUNT,
        "Actions that ended without a verdict. Many: the drifts are small, or the actions change little.",
        Query(f'sum(increase(crosscurrent_adaptation_actions_total{{{DOMAIN}, outcome="undecided"}}[1d]))'),
        width=6,
    )
    .decimals(0)
    .thresholds(thresholds((None, "blue"))),
]
DETECTED: list[Builder] = [
    bars(
        "Drifts detected",
        COUNT,
        "By domain and detector. `bias`: ratings are shifted; `rating_error`, `ranking_error`: predictions got worse; "
        "`popularity`: other items are chosen; `divergence`: target and sources move apart. Ask the producer why.",
        Query(
            f"sum by (domain, detector) (increase(crosscurrent_drift_total{{{DOMAIN}}}[{RATE}]))",
            "{{domain}} {{detector}}",
        ),
        width=12,
    ),
    lines(
        "Size of the last shift",
        PLAIN,
        "By how much the watched mean moved at the last alarm, in the detector's own unit; `bias` in quarters of the "
        "rating range. A large shift with a known cause needs no action.",
        Query(f"crosscurrent_drift_score{{{DOMAIN}}}", "{{domain}} {{detector}}"),
        width=12,
    ),
    lines(
        "Error around the drifts",
        PLAIN,
        "Rating error of what users get; the marks are drifts and verdicts. It should come down again after a "
        "promotion. If it stays high: runbook, CrosscurrentDriftStorm.",
        Query(f'crosscurrent_prequential_error{{{DOMAIN}, metric="rmse", arm="full"}}', "{{domain}}"),
        width=12,
    ),
    lines(
        "Pull of the targets' biases to the sources'",
        SHARE,
        "Adaptation rate. It rises when a drift made a target trust its sources again.",
        Query(f"crosscurrent_adaptation_rate{{{DOMAIN}}}", "{{domain}}"),
        width=12,
    ).min(0),
]
ANSWERS: list[Builder] = [
    lines(
        "Challengers at work: events judged so far",
        COUNT,
        "Empty while none runs. A challenger ends after 2,000 events at most. A flat line means that its domain sends "
        "no events to judge it: runbook, CrosscurrentChallengerStuck.",
        Query(f"crosscurrent_challenger_events{{{DOMAIN}}}", "{{domain}} {{action}}"),
        width=12,
    ).min(0),
    bars(
        "Verdicts",
        COUNT,
        "Ends of actions and strategies. Promoted: a test found that its error is lower. Nothing to do.",
        Query(
            f"sum by (domain, action, outcome) "
            f"(increase(crosscurrent_adaptation_actions_total{{{DOMAIN}}}[{RATE}])) > 0",
            "{{domain}} {{action}} {{outcome}}",
        ),
        width=12,
    ),
    rows(
        "Verdicts since the start of the process",
        COUNT,
        "By domain, action and outcome. An action that is never promoted in weeks may not suit the domain. Evaluate "
        "the domain's log to find out (`crosscurrent evaluate`).",
        Query(f"sum by (domain, action, outcome) (crosscurrent_adaptation_actions_total{{{DOMAIN}}}) > 0"),
        width=24,
    ),
]

ROWS: list[tuple[str, list[Builder]]] = [("", NOW), ("Detected", DETECTED), ("Answered", ANSWERS)]
