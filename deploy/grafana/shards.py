"""Show the processes of one service: whether all are there, how far each is, and what they share."""

from __future__ import annotations

from deploy.grafana.panels import (
    BYTES,
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
    lines,
    names,
    number,
    rows,
    states,
    thresholds,
)

PLACE = f"* on (job, instance) group_left (index) crosscurrent_shard_info{{{JOB}}}"
"""Gives a series the index of its process: the number of a shard, or `network`."""
EACH = "{{index}}"

NOW: list[Builder] = [
    number(
        "Shards missing",
        COUNT,
        "Shards of the config that Prometheus cannot read. Events of their users wait; runbook, "
        "CrosscurrentShardMissing.",
        Query(
            f"max(crosscurrent_shards{{{JOB}}}) "
            f'- count(count by (index) (crosscurrent_shard_info{{{JOB}, index!="network"}}))'
        ),
    ).thresholds(thresholds((None, "green"), (1, "red"))),
    number(
        "Oldest weights in use",
        SECONDS,
        "Since the network's weights of the shard that is furthest behind were published. Over a minute: no process "
        "trains, or a shard cannot read them; runbook, CrosscurrentNetworkOld.",
        Query(f"max(crosscurrent_network_age_seconds{{{JOB}}})"),
    ).thresholds(thresholds((None, "green"), (15, "orange"), (60, "red"))),
    number(
        "Facts that wait",
        COUNT,
        "Records of facts that the slowest process has still to take in. Growing: there are more events than its core "
        "can take; runbook, CrosscurrentFactsLag.",
        Query(f"max(crosscurrent_facts_lag_records{{{JOB}}})"),
    ).thresholds(thresholds((None, "green"), (200, "orange"), (1000, "red"))),
    rows(
        "Which process is which",
        PLAIN,
        "Index, number of shards and epoch of the stored state, by process. All must have one count and one epoch; "
        "else a rescale was not finished: runbook, Change the number of shards.",
        Query(f"crosscurrent_shard_info{{{JOB}}}"),
        height=6,
    ),
    states(
        "Ready",
        "Whether /readyz of each process answers 200. If not, it gives the reason; runbook, CrosscurrentNotReady.",
        Query(f"crosscurrent_ready{{{JOB}}} {PLACE}", EACH),
        width=12,
        height=6,
    ).mappings(names({"0": ("NOT READY", "red"), "1": ("Ready", "green")})),
]
EVENTS: list[Builder] = [
    lines(
        "Events learned",
        PER_SECOND,
        "Own events of each shard. They should be about equal; one far above the others owns a hot partition: use more "
        "partitions than shards.",
        Query(f"sum by (index) (rate(crosscurrent_events_total{{{DOMAIN}}}[{RATE}]) {PLACE})", EACH),
    ).min(0),
    lines(
        "Behind the log, in seconds",
        SECONDS,
        "How long the oldest record that a shard has not learned has waited. One alone: a hot partition or a slow "
        "machine; all: add shards. Runbook, CrosscurrentLag.",
        Query(f"max by (index) (crosscurrent_consumer_lag_seconds{{{DOMAIN}}} {PLACE})", EACH),
    ).min(0),
    lines(
        "Age of the newest checkpoint",
        SECONDS,
        "What a crash would make a process learn again. A climb on all shards: their facts are not acknowledged; "
        "runbook, The topic of facts is away.",
        Query(f"crosscurrent_checkpoint_age_seconds{{{JOB}}} {PLACE}", EACH),
    ).min(0),
    lines(
        "Processor",
        SHARE,
        "Cores in use. At 1 with growing lag a shard is at its limit: more shards help as long as foreign events leave "
        "it time.",
        Query(f"rate(process_cpu_seconds_total{{{JOB}}}[{RATE}]) {PLACE}", EACH),
    ).min(0),
    lines(
        "Memory",
        BYTES,
        "Resident memory. Each shard has its own users and all items; the network's process has all items.",
        Query(f"process_resident_memory_bytes{{{JOB}}} {PLACE}", EACH),
    ).min(0),
    lines(
        "Events sent on to another shard",
        PER_SECOND,
        "Events in another partition than that of their key. Above 0: a producer has another partitioner; runbook, "
        "CrosscurrentRerouted.",
        Query(f"rate(crosscurrent_rerouted_total{{{JOB}}}[{RATE}]) {PLACE}", EACH),
    ).min(0),
]
FACTS: list[Builder] = [
    lines(
        "Facts taken in",
        PER_SECOND,
        "Events of other shards that each process has taken in: what all others learn. One at 0 is cut off; runbook, "
        "CrosscurrentFactsSilent.",
        Query(
            f'rate(crosscurrent_facts_total{{{JOB}, direction="folded"}}[{RATE}]) {PLACE}',
            EACH,
        ),
    ).min(0),
    lines(
        "Facts sent",
        PER_SECOND,
        "Own events of each shard, as it tells the others of them. It follows the events learned; the network's "
        "process sends none.",
        Query(f'rate(crosscurrent_facts_total{{{JOB}, direction="sent"}}[{RATE}]) {PLACE}', EACH),
    ).min(0),
    lines(
        "Facts read once more",
        PER_SECOND,
        "Dropped, since they were known. Some after a restart are normal; all the time: two processes have one index.",
        Query(f"rate(crosscurrent_facts_dropped_total{{{JOB}}}[{RATE}]) {PLACE}", EACH),
    ).min(0),
    lines(
        "Facts that wait, in records",
        COUNT,
        "Not taken in yet. A saw-tooth near 0 is normal. A steady climb: the process is at its limit; runbook, "
        "CrosscurrentFactsLag.",
        Query(f"crosscurrent_facts_lag_records{{{JOB}}} {PLACE}", EACH),
    ).min(0),
    lines(
        "Age of the newest fact when it was taken in",
        SECONDS,
        "How late a process learns of others' events. Under a second as a rule; high while old events are replayed.",
        Query(f"crosscurrent_facts_lag_seconds{{{JOB}}} {PLACE}", EACH),
    ).min(0),
    lines(
        "CPU of another shard's event",
        SECONDS,
        "The f of the scaling law: N shards learn at most 1 / f events a second. 20 µs is usual; `crosscurrent bench "
        "facts` measures it on your machine.",
        Query(
            f"rate(crosscurrent_foreign_event_seconds_sum{{{JOB}}}[{RATE}]) "
            f"/ rate(crosscurrent_foreign_event_seconds_count{{{JOB}}}[{RATE}]) {PLACE}",
            EACH,
        ),
    ).min(0),
]
NETWORK: list[Builder] = [
    lines(
        "Age of the network's weights",
        SECONDS,
        "Since the weights in use were published; below 11 s. On one shard it climbs: that shard cannot read them. On "
        "all: no process trains. Runbook, CrosscurrentNetworkOld.",
        Query(f"crosscurrent_network_age_seconds{{{JOB}}} {PLACE}", EACH),
        width=12,
    ).min(0),
    lines(
        "Weights published and taken in",
        BYTES,
        "Bytes a second. Each shard takes in what the network's process sends; after a start it takes in all there is.",
        Query(f"rate(crosscurrent_weights_bytes_total{{{JOB}}}[{RATE}]) {PLACE}", "{{index}} {{direction}}"),
        width=12,
    ).min(0),
]

ROWS: list[tuple[str, list[Builder]]] = [
    ("", NOW),
    ("Events", EVENTS),
    ("Facts", FACTS),
    ("Network", NETWORK),
]
