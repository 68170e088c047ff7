"""Show on one screen whether it is healthy, fresh, and better than without transfer."""

from __future__ import annotations

from deploy.grafana.panels import (
    COUNT,
    DOMAIN,
    JOB,
    PER_SECOND,
    PLAIN,
    RATE,
    SECONDS,
    SHARE,
    Builder,
    Query,
    bars,
    lines,
    names,
    number,
    thresholds,
)

GREEN, AMBER, RED = "green", "orange", "red"

NOW: list[Builder] = [
    number(
        "Up and ready",
        PLAIN,
        "Whether every process answers and /readyz says 200. If not: `curl …/readyz` gives the reason; runbook, "
        "CrosscurrentDown or CrosscurrentNotReady.",
        Query(f"min(crosscurrent_ready{{{JOB}}} or on (job, instance) up{{{JOB}}})"),
    )
    .mappings(names({"0": ("NOT READY", RED), "1": ("Ready", GREEN)}))
    .thresholds(thresholds((None, RED), (1, GREEN))),
    number(
        "Alerts firing",
        COUNT,
        "Alerts of Crosscurrent that fire now. Open the alert list; each alert has its section in the runbook.",
        Query('count(ALERTS{alertname=~"Crosscurrent.*", alertstate="firing"}) or vector(0)'),
    ).thresholds(thresholds((None, GREEN), (1, RED))),
    number(
        "Readable within 2.5 s (last hour)",
        SHARE,
        "Share of learned events whose user was readable in the store within 2.5 s of the Kafka record; the "
        "objective is 99 %. Below it: look at lag, backlog and stages on Pipeline.",
        Query(f"1 - max(crosscurrent:freshness_late:ratio_rate1h{{{DOMAIN}}})"),
    )
    .decimals(2)
    .thresholds(thresholds((None, RED), (0.94, AMBER), (0.99, GREEN))),
    number(
        "Behind the log by",
        SECONDS,
        "How long the oldest record that is not learned has waited. Growing: more comes in than is learned; "
        "see Pipeline.",
        Query(f"max(crosscurrent_consumer_lag_seconds{{{DOMAIN}}})"),
    ).thresholds(thresholds((None, GREEN), (10, AMBER), (60, RED))),
    number(
        "Transfer gain, worst domain",
        SHARE,
        "Error of the target-only arm minus error of the full learner, as a share of the former. Below -1 %: transfer "
        "hurts; see Learning.",
        Query(f'min(crosscurrent:transfer_gain:ratio{{{DOMAIN}, arm="full"}})'),
    )
    .decimals(1)
    .thresholds(thresholds((None, RED), (-0.01, AMBER), (0, GREEN))),
    number(
        "Last checkpoint",
        SECONDS,
        "Age of the newest checkpoint: what a crash would learn again. Over a few minutes: is the disk full or slow? "
        "Runbook, CrosscurrentCheckpointOld.",
        Query(f"max(crosscurrent_checkpoint_age_seconds{{{JOB}}})"),
    ).thresholds(thresholds((None, GREEN), (90, AMBER), (300, RED))),
]

ROWS: list[tuple[str, list[Builder]]] = [
    ("", NOW),
    (
        "",
        [
            lines(
                "Time from event to readable",
                SECONDS,
                "Kafka record to readable in the store: half and 99 % of the events are faster. A rising 99 % with a "
                "flat median: pauses (checkpoint, network); both rising: lag.",
                Query(
                    f"histogram_quantile(0.5, sum by (domain, le) "
                    f"(rate(crosscurrent_freshness_seconds_bucket{{{DOMAIN}}}[{RATE}])))",
                    "{{domain}} half",
                ),
                Query(
                    f"histogram_quantile(0.99, sum by (domain, le) "
                    f"(rate(crosscurrent_freshness_seconds_bucket{{{DOMAIN}}}[{RATE}])))",
                    "{{domain}} 99 %",
                ),
                width=6,
            ).min(0),
            lines(
                "Canary: sent to readable",
                SECONDS,
                "A record of the service's own, sent every 5 s through Kafka to the store, also without events. "
                "No points, or lost canaries: nothing comes through; runbook, CrosscurrentCanaryLost.",
                Query(
                    f"histogram_quantile(0.5, sum by (le) (rate(crosscurrent_canary_seconds_bucket{{{JOB}}}[{RATE}])))",
                    "half",
                ),
                Query(
                    f"histogram_quantile(0.99, sum by (le) "
                    f"(rate(crosscurrent_canary_seconds_bucket{{{JOB}}}[{RATE}])))",
                    "99 %",
                ),
                width=6,
            ).min(0),
            lines(
                "What users get, compared with no transfer",
                SHARE,
                "Error saved by the arm that the guard follows, compared with the target alone. It should be "
                "above -1 %. Below, the guard has no verdict yet: see Learning.",
                Query(
                    f'crosscurrent:transfer_gain:ratio{{{DOMAIN}, arm="followed"}}', "{{domain}} {{metric}}"
                ),
                width=6,
            ).axis_soft_min(-0.02),
            lines(
                "Error budgets used (1 = just sustainable)",
                COUNT,
                "How fast the objectives' budgets are used, over the last hour. Above 14.4 an alert pages; "
                "above 1 for days makes a ticket.",
                Query(f"crosscurrent:freshness_late:ratio_rate1h{{{DOMAIN}}} / 0.01", "{{domain}} freshness"),
                Query(
                    f'crosscurrent:transfer_worse:avg1h{{{DOMAIN}, arm="followed"}} / 0.05',
                    "{{domain}} transfer, {{metric}}",
                ),
                width=6,
            ).min(0),
        ],
    ),
    (
        "",
        [
            lines(
                "Events learned",
                PER_SECOND,
                "Clicks and ratings learned. A fall to nothing: producers or the broker; a plateau with growing lag: "
                "the service is at its limit.",
                Query(f"sum by (domain) (rate(crosscurrent_events_total{{{DOMAIN}}}[{RATE}]))", "{{domain}}"),
                width=6,
            ).min(0),
            bars(
                "Canaries lost",
                COUNT,
                "Not readable within 60 s. One may be due to a restart of broker or store. More page: runbook, "
                "CrosscurrentCanaryLost.",
                Query(
                    f"sum by (instance) (increase(crosscurrent_canary_lost_total{{{JOB}}}[{RATE}]))",
                    "{{instance}}",
                ),
                width=6,
            ),
            lines(
                "Prediction error (ratings)",
                PLAIN,
                "Fading RMSE, each event predicted before it is learned. A step up is drift (see Drift) or bad input.",
                Query(
                    f'crosscurrent_prequential_error{{{DOMAIN}, metric="rmse", arm=~"full|target_only"}}',
                    "{{domain}} {{arm}}",
                ),
                width=6,
            ),
            bars(
                "Records that could not be used",
                COUNT,
                "Dead letters by reason. Find the producer in their headers; runbook, CrosscurrentDeadLetters.",
                Query(
                    f"sum by (reason) (increase(crosscurrent_dead_letters_total{{{DOMAIN}}}[{RATE}]))",
                    "{{reason}}",
                ),
                width=6,
            ),
        ],
    ),
]
