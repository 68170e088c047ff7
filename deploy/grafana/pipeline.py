"""Show the way from the log to the store: throughput, lag, where the time goes, what failed, memory."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as built

from deploy.grafana.panels import (
    BYTES,
    COUNT,
    DOMAIN,
    JOB,
    PER_SECOND,
    RATE,
    SECONDS,
    SHARE,
    Builder,
    Query,
    bars,
    heat,
    lines,
    thresholds,
)

STAGE = (
    built.QueryVariable("stage")
    .label("Stage")
    .query(f"label_values(crosscurrent_stage_seconds_count{{{JOB}}}, stage)")
    .multi(True)
    .include_all(True)
    .all_value(".*")
)
EACH = "{{domain}}"

IN: list[Builder] = [
    lines(
        "Events learned",
        PER_SECOND,
        "By domain and type. A plateau while lag grows: the service is at its limit; runbook, Add partitions.",
        Query(
            f"sum by (domain, type) (rate(crosscurrent_events_total{{{DOMAIN}}}[{RATE}]))",
            "{{domain}} {{type}}",
        ),
    ).min(0),
    lines(
        "Behind the log, in seconds",
        SECONDS,
        "How long the oldest record that is not learned has waited. Over 30 s the service is not ready, over 60 s it "
        "pages: runbook, CrosscurrentLag. No answer from Kafka: /readyz names the broker.",
        Query(f"crosscurrent_consumer_lag_seconds{{{DOMAIN}}}", EACH),
        Query(f"max(crosscurrent_kafka_silent_seconds{{{JOB}}})", "no answer from Kafka"),
    ).min(0),
    lines(
        "Behind the log, in records",
        COUNT,
        "Records not learned yet, by topic. One topic only: it has a burst. All: the service or the store is slow.",
        Query(f"sum by (topic) (crosscurrent_consumer_lag_records{{{JOB}}})", "{{topic}}"),
    ).min(0),
    bars(
        "Records that could not be used",
        COUNT,
        "Dead letters by domain and reason. Their headers name topic, partition and offset: tell the producer; "
        "runbook, CrosscurrentDeadLetters.",
        Query(
            f"sum by (domain, reason) (increase(crosscurrent_dead_letters_total{{{DOMAIN}}}[{RATE}]))",
            "{{domain}} {{reason}}",
        ),
    ),
    lines(
        "Since the newest dead letter",
        SECONDS,
        "Empty if there was none since the start. If the line falls back to 0 again and again, a producer still sends "
        "bad records.",
        Query(f"time() - crosscurrent_dead_letter_last_timestamp_seconds{{{DOMAIN}}}", EACH),
    ).min(0),
    lines(
        "Oddities",
        PER_SECOND,
        "All are near 0 as a rule. Repeats: a producer retries. Wrong keys: a user's events lose their order. Lost "
        "records: Kafka's retention is too short. Refused letters: max.message.bytes of the topic is too small, the "
        "log names each. Skipped steps: runbook, CrosscurrentNetworkSkips.",
        Query(f"sum(rate(crosscurrent_duplicates_total{{{DOMAIN}}}[{RATE}]))", "repeated events"),
        Query(f"sum(rate(crosscurrent_forgotten_total{{{DOMAIN}}}[{RATE}]))", "events of the forgotten"),
        Query(f"sum(rate(crosscurrent_deleted_rows_total{{{DOMAIN}}}[{RATE}]))", "deleted rows"),
        Query(f"sum(rate(crosscurrent_key_mismatches_total{{{JOB}}}[{RATE}]))", "records with a wrong key"),
        Query(f"sum(rate(crosscurrent_lost_records_total{{{JOB}}}[{RATE}]))", "lost records"),
        Query(f"sum(rate(crosscurrent_dead_letters_refused_total{{{JOB}}}[{RATE}]))", "refused dead letters"),
        Query(f"sum(rate(crosscurrent_skipped_updates_total{{{JOB}}}[{RATE}]))", "skipped network steps"),
    ).min(0),
]
TIME: list[Builder] = [
    heat(
        "How long a batch takes ($stage)",
        SECONDS,
        "Time of one stage, a batch; choose the stage above. A second band far above the first is a pause: compare "
        "with checkpoints.",
        Query(
            f'sum by (le) (increase(crosscurrent_stage_seconds_bucket{{{JOB}, stage=~"$stage"}}[{RATE}]))',
            "{{le}}",
        ),
    ),
    heat(
        "Time from event to readable",
        SECONDS,
        "Freshness of all events. The objective is 99 % within 2.5 s. Later events have waited in the log or in the "
        "backlog.",
        Query(f"sum by (le) (increase(crosscurrent_freshness_seconds_bucket{{{DOMAIN}}}[{RATE}]))", "{{le}}"),
    ),
    lines(
        "Where the loop's time goes",
        SHARE,
        "Share of the time in each stage; they add up to at most 1. `poll` is waiting. Without `poll` the service is "
        "at its limit: look at the largest stage.",
        Query(
            f'sum by (stage) (rate(crosscurrent_stage_seconds_sum{{{JOB}, stage=~"$stage"}}[{RATE}]))',
            "{{stage}}",
        ),
        width=12,
    ).min(0),
    lines(
        "Since the loop last turned",
        SECONDS,
        "Well under a second. Over 30 s /healthz fails: the process hangs, restart it; runbook, "
        "CrosscurrentLoopStuck.",
        Query(f"crosscurrent_loop_idle_seconds{{{JOB}}}", "{{instance}}"),
        width=12,
    ).min(0),
]
OUT: list[Builder] = [
    lines(
        "Values waiting for the store",
        COUNT,
        "Publish backlog. A saw-tooth near 0 is normal. A steady climb: the store is slow or away; at 200,000 reading "
        "pauses. Runbook, CrosscurrentBacklog.",
        Query(f"crosscurrent_publish_backlog{{{JOB}}}", "{{instance}}"),
        width=6,
    ).min(0),
    lines(
        "Values written to the store",
        PER_SECOND,
        "By kind of key: user, rec (lists), item, popular, domain, meta, delete. Nothing while events are learned: "
        "the store is away.",
        Query(f"sum by (kind) (rate(crosscurrent_published_total{{{JOB}}}[{RATE}]))", "{{kind}}"),
        width=6,
    ).min(0),
    lines(
        "Failed writes",
        PER_SECOND,
        "They are retried, so nothing is lost, but users see old lists. Runbook, CrosscurrentStoreUnreachable.",
        Query(
            f"sum by (instance) (rate(crosscurrent_publish_errors_total{{{JOB}}}[{RATE}]))", "{{instance}}"
        ),
        width=6,
    ).min(0),
    bars(
        "Keys that the store evicted",
        COUNT,
        "It should always be 0. More: the store is full and its maxmemory-policy lets it evict keys; users lose their "
        "lists. Runbook, CrosscurrentStoreEvicts.",
        Query(
            f"sum by (instance) (increase(crosscurrent_store_evicted_keys_total{{{JOB}}}[{RATE}]))",
            "{{instance}}",
        ),
        width=6,
    ),
]
STATE: list[Builder] = [
    lines(
        "Age of the newest checkpoint",
        SECONDS,
        "What a crash would learn again. A saw-tooth as high as checkpoint.interval_seconds; a climb: the disk, or "
        "dead letters that the broker does not take. Runbook, CrosscurrentCheckpointOld.",
        Query(f"crosscurrent_checkpoint_age_seconds{{{JOB}}}", "{{instance}}"),
        width=6,
    ).min(0),
    lines(
        "Time to write a checkpoint",
        SECONDS,
        "99 % are faster. As long as the interval: give it a faster disk, or a longer interval.",
        Query(
            f"histogram_quantile(0.99, sum by (le) (rate(crosscurrent_checkpoint_seconds_bucket{{{JOB}}}[{RATE}])))",
            "99 %",
        ),
        width=6,
    ).min(0),
    lines(
        "How full the tables are",
        SHARE,
        "Rows in use, as a share of the capacity. At 1 the least recently seen are evicted. That is fine if they do "
        "not come back soon: see evictions.",
        Query(f"crosscurrent_table_rows{{{JOB}}} / crosscurrent_table_capacity{{{JOB}}}", "{{table}}"),
        width=6,
    )
    .min(0)
    .max(1)
    .thresholds(thresholds((None, "green"), (0.95, "orange"))),
    lines(
        "Rows that were evicted",
        PER_SECOND,
        "Evictions. Many: users or items are forgotten while in use; raise learner.users or "
        "learner.items_per_domain. Runbook, CrosscurrentTableChurn.",
        Query(f"sum by (table) (rate(crosscurrent_table_evictions_total{{{JOB}}}[{RATE}]))", "{{table}}"),
        width=6,
    ).min(0),
    lines(
        "Memory",
        BYTES,
        "Resident memory of the process. It grows until the tables are full, then rests; 1 to 3 KB a user is usual. "
        "A climb with full tables is a leak: keep the log, restart.",
        Query(f"process_resident_memory_bytes{{{JOB}}}", "{{instance}}"),
    ).min(0),
    lines(
        "Processor",
        SHARE,
        "Cores in use; learning takes at most one. At 1 with growing lag the service is at its limit.",
        Query(f"rate(process_cpu_seconds_total{{{JOB}}}[{RATE}])", "{{instance}}"),
    ).min(0),
    lines(
        "Item texts that wait for a vector",
        COUNT,
        "Falls to 0 soon after items came. It stays up while the text encoder fails: events go on, new items have no "
        "text vector. Runbook, CrosscurrentTextEncoderAway.",
        Query(f"crosscurrent_texts_waiting{{{JOB}}}", "{{instance}} waiting"),
        Query(
            f"sum by (instance) (increase(crosscurrent_text_encoder_failures_total{{{JOB}}}[{RATE}]))",
            "{{instance}} failures",
        ),
    ).min(0),
]

ROWS: list[tuple[str, list[Builder]]] = [
    ("In", IN),
    ("Time", TIME),
    ("Out", OUT),
    ("State and memory", STATE),
]
