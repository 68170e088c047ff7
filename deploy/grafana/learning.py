"""Show how well it learns, by arm: with transfer, with the target only, and what the guard follows."""

from __future__ import annotations

from deploy.grafana.panels import DOMAIN, JOB, PLAIN, SHARE, Builder, Query, lines, names, states, thresholds
from deploy.grafana.shown import SHOWN

TARGET = f'{JOB}, target=~"$domain"'
FOLLOWED = " + ".join(
    f'{value} * sum by (domain, history, task) (crosscurrent_guard_choice{{{DOMAIN}, arm="{arm}"}})'
    for value, arm in ((1, "target_only"), (2, "text"), (3, "popularity"))
)
ARM = "{{domain}} {{arm}}"

ERRORS: list[Builder] = [
    lines(
        "Rating error by arm",
        PLAIN,
        "Fading RMSE. `full` uses transfer, `target_only` does not, `followed` is what users get. `full` above "
        "`target_only` for long: transfer hurts; runbook, CrosscurrentTransferHurts.",
        Query(f'crosscurrent_prequential_error{{{DOMAIN}, metric="rmse"}}', ARM),
        width=12,
    ),
    lines(
        "Ranking loss by arm",
        PLAIN,
        "Fading 1 - NDCG@10. 0: the chosen item is always on top; 1: it is never among the first ten. Read it like the "
        "rating error. If all arms rise together, other items have become popular.",
        Query(f'crosscurrent_prequential_error{{{DOMAIN}, metric="ndcg_loss"}}', ARM),
        width=12,
    ),
    lines(
        "Transfer gain",
        PLAIN,
        "Error of the target-only arm minus error of the full one. Above 0 transfer helps; it fades as a target gets "
        "events of its own. Below 0: look at the sources' weights and divergence.",
        Query(f"crosscurrent_transfer_gain{{{DOMAIN}}}", "{{domain}} {{metric}}"),
        width=12,
    ).axis_centered_zero(True),
    lines(
        "Transfer gain, as a share of the error without it",
        SHARE,
        "The objective: not below -1 %. Only `full` below it: the guard protects the users; look at the sources "
        "within days. Both below it: an alert pages.",
        Query(f"crosscurrent:transfer_gain:ratio{{{DOMAIN}}}", "{{domain}} {{metric}} {{arm}}"),
        width=12,
    ).thresholds(thresholds((None, "red"), (-0.01, "transparent"))),
]
GUARD: list[Builder] = [
    states(
        "Arm that the guard follows, by task and the user's history",
        "A band for each target, task and number of earlier events of the user. Anything but `full` means that the "
        "guard found a simpler arm better. For new users only: item text tells more than transfer. For all users: "
        "check the sources.",
        Query(FOLLOWED, "{{domain}} {{task}} {{history}}"),
    ).mappings(
        names(
            {
                "0": ("full", "green"),
                "1": ("target only", "orange"),
                "2": ("text", "purple"),
                "3": ("popularity", "red"),
            }
        )
    )
]
SOURCES: list[Builder] = [
    lines(
        "Bias corrections",
        PLAIN,
        "The running correction of each domain, by term. It moves after a drift and then stays. If it keeps moving, "
        "bad ratings come in: see dead letters and Drift.",
        Query(f"crosscurrent_bias_correction{{{DOMAIN}}}", "{{domain}} {{term}}"),
        width=12,
    ).axis_centered_zero(True),
    lines(
        "Pull of the targets' biases to the sources'",
        SHARE,
        "Adaptation rate: near 1 while a target is young, falling with its events. It rises again when drift makes "
        "the loop raise it. Nothing to do.",
        Query(f"crosscurrent_adaptation_rate{{{DOMAIN}}}", "{{domain}}"),
        width=12,
    ).min(0),
    lines(
        "Distance of a target from its sources",
        PLAIN,
        "Divergence of item vector moments. A source that moves away helps less; its weight should fall. If it does "
        "not, runbook, CrosscurrentTransferHurts.",
        Query(f"crosscurrent_domain_divergence{{{TARGET}}}", "{{source}} → {{target}}"),
        width=12,
    ).min(0),
    lines(
        "Share of each source in a target's biases",
        SHARE,
        "Source weights. One source near 1 means that the others are ignored. Check that it is the right one.",
        Query(f"crosscurrent_source_weight{{{TARGET}}}", "{{source}} → {{target}}"),
        width=12,
    )
    .min(0)
    .max(1),
    lines(
        "What types of events count as, in clicks",
        PLAIN,
        "Weights of the types of `[events]`, as learned: how much an event tells of what its user chooses later. They "
        "begin at the config's weights. Empty without own types.",
        Query(f"crosscurrent_event_weight{{{JOB}}}", "{{type}}"),
        width=24,
    ).min(0),
]

ROWS: list[tuple[str, list[Builder]]] = [
    ("Error, before each event is learned", ERRORS),
    ("What is followed", GUARD),
    ("What comes from where", SOURCES),
    ("What was shown", SHOWN),
]
