"""Show what users were shown, and what they clicked of it. Mostly empty without impressions."""

from __future__ import annotations

from deploy.grafana.panels import DOMAIN, PER_SECOND, PLAIN, RATE, SHARE, Builder, Query, lines


def _rate(counter: str, by: str, more: str = "") -> str:
    """Return PromQL of a counter's rate by a label."""
    return f"sum by (domain{by}) (rate(crosscurrent_{counter}_total{{{DOMAIN}{more}}}[{RATE}]))"


KEPT = _rate("impressions", "", ', outcome=~"kept|out_of_order"')
ANSWERED = _rate("impression_clicks", "", ', outcome="answered"')
BY_POLICY = f"{_rate('policy_clicks', ', policy')} / {_rate('policy_impressions', ', policy')}"
FIRST_TEN = _rate("list_hits", ", policy", ', k="10"')
LISTED = f"{FIRST_TEN} / {_rate('listed_events', ', policy')}"
GINI = f"max by (domain) (crosscurrent_shown_gini{{{DOMAIN}}})"
HITS = _rate("hits", ", arm", ', k="10"')
SHOWS = _rate("position_shows", "")
BY_PLACE = f"{_rate('position_clicks', ', position')} / {_rate('position_shows', ', position')}"

SHOWN: list[Builder] = [
    lines(
        "Clicks per impression",
        PLAIN,
        "Items of impressions that were clicked, for each impression. It falls for hours: look at what the lists hold, "
        "and at what the page shows of them.",
        Query(f"{ANSWERED} / {KEPT}", "{{domain}}"),
        width=12,
    ).min(0),
    lines(
        "Clicks per show, by place",
        SHARE,
        "How often an item is clicked, by its place on the page. It falls from the top down. The "
        "deeper places are counted together; look at the first ten.",
        Query(BY_PLACE, "{{domain}} {{position}}"),
        width=12,
    ).min(0),
    lines(
        "Impressions",
        PER_SECOND,
        "By outcome. `late` impressions are more than the window behind their user's newest and are dropped. Many "
        "`out_of_order` or `duplicate` ones: look at the producer.",
        Query(_rate("impressions", ", outcome"), "{{domain}} {{outcome}}"),
        width=12,
    ).min(0),
    lines(
        "What clicks answer",
        PER_SECOND,
        "`answered`: an item of an impression. `unshown`: no impression showed it; search and links do that. "
        "`missing`: the click names an impression that did not come, or comes after it; look at the producer.",
        Query(_rate("impression_clicks", ", outcome"), "{{domain}} {{outcome}}"),
        width=12,
    ).min(0),
    lines(
        "Impressions with a click, and clicks below a click",
        SHARE,
        "Share of impressions with any click, and share of clicks that came below another of the same impression. If "
        "the latter is near 0, readers stop after a click.",
        Query(f"{_rate('impressions_clicked', '')} / {KEPT}", "{{domain}} with a click"),
        Query(f"{_rate('clicks_below_a_click', '')} / {ANSWERED}", "{{domain}} below a click"),
        width=12,
    ).min(0),
    lines(
        "What impressions teach",
        PLAIN,
        "How much `appeal` of items and `fatigue` of users count in lists, from 0 to 1: by what they have gained in "
        "foretelling clicks. 0 where they do not help, and without impressions.",
        Query(f"crosscurrent_shown_term_share{{{DOMAIN}}}", "{{domain}} {{term}}"),
        width=12,
    ).min(0),
    lines(
        "Exploration",
        SHARE,
        "Share of places of drawn lists (`ranker.explore`) whose item is not among the best, and share of shown items "
        "that were shown less than 20 times before. If the latter is near 0, new items do not get a chance.",
        Query(f"{_rate('explored_places', '')} / {_rate('drawn_places', '')}", "{{domain}} explored"),
        Query(f"{_rate('new_item_shows', '')} / {SHOWS}", "{{domain}} new items"),
        width=12,
    ).min(0),
    lines(
        "Clicks that tell how places are looked at",
        PLAIN,
        "Only lists that are drawn (`ranker.explore`) tell. From 100 on, the learned curve replaces 1 / rank^0.7.",
        Query("crosscurrent_examination_clicks", "clicks"),
        width=12,
    ).min(0),
    lines(
        "Hit rate in the first ten, by arm",
        SHARE,
        "Share of events whose item was among the first ten that the arm would have listed just before. It needs no "
        "impressions. If it falls for all arms, other items have become popular.",
        Query(f"{HITS} / {_rate('ranked_events', ', arm')}", "{{domain}} {{arm}}"),
        width=12,
    ).min(0),
    lines(
        "Clicks per impression, by policy",
        PLAIN,
        "By what made the lists: `default`, or an arm of an experiment. Lines apart are no verdict: "
        "`crosscurrent experiment status` gives one.",
        Query(BY_POLICY, "{{domain}} {{policy}}"),
        width=12,
    ).min(0),
    lines(
        "Hit rate in the first ten of the user's list, by policy",
        SHARE,
        "Share of events whose item was among the first ten of the list that the user had in the store. Once there are "
        "impressions, of users who have a list. It falls alone: are lists late, or not shown?",
        Query(LISTED, "{{domain}} {{policy}}"),
        width=12,
    ).min(0),
    lines(
        "How unevenly items are shown",
        PLAIN,
        "Gini coefficient of all items' shows in the last days: 0 if all are shown alike, near 1 if few have all. "
        "It climbs for days: a few popular items feed themselves. It begins after 10,000 shows.",
        Query(GINI, "{{domain}}"),
        width=12,
    )
    .min(0)
    .max(1),
]
