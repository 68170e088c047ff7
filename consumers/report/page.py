"""Write the page: one file that loads no scripts or fonts, light or dark like the reader's system."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from consumers.config.schema import Settings
from consumers.report.charts import charts, headlines, in_words, rows, story
from consumers.report.example import Example, section
from consumers.report.figures import LATEST, LATEST_MEANS, NAMES, figure, gain
from consumers.report.metric_history import MetricHistory
from consumers.report.svg_chart import Chart, draw

STYLE = """
:root{color-scheme:light dark;--back:#f6f7f9;--card:#fff;--text:#1d2330;--soft:#5b6475;--rule:#dfe3ea;
--c0:#1f6feb;--c1:#c2410c;--c2:#0f8a5f;--c3:#8250df;--c4:#a16207;--c5:#64748b;
--drift:#dc2626;--promoted:#0f8a5f;--dropped:#8b95a5;--undecided:#a16207;--trial:#1f6feb}
@media (prefers-color-scheme:dark){:root{--back:#0f131a;--card:#181e28;--text:#e6eaf1;--soft:#a0aabb;--rule:#2c3543;
--c0:#6cb1ff;--c1:#ff9e64;--c2:#4fd6a0;--c3:#c4a1ff;--c4:#e3b341;--c5:#9aa7b8;
--drift:#ff6b6b;--promoted:#4fd6a0;--dropped:#7d8899;--undecided:#e3b341;--trial:#6cb1ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);font:15px/1.5 system-ui,sans-serif}
main{max-width:1360px;margin:0 auto;padding:24px 20px 48px}
h1{font-size:24px;margin:0}h2{font-size:18px;margin:32px 0 12px}
.soft,.note,.none{color:var(--soft)}
.heads{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:12px;margin:20px 0}
.heads div,figure,.card{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:12px 16px}
.heads b{display:block;font-size:24px;line-height:1.3}.heads span{color:var(--soft);font-size:13px}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,480px),1fr));gap:16px}
figure{margin:0}figcaption{font-weight:600}
.legend{display:flex;flex-wrap:wrap;gap:2px 16px;min-height:20px;font-size:13px;color:var(--soft)}
.legend i{display:inline-block;width:18px;margin-right:6px;vertical-align:middle;
border-style:solid;border-width:3px 0 0}
.legend i.dash{border-style:dashed}
.legend i.mark{width:0;height:14px;border-width:0 0 0 2px}
svg{display:block;width:100%;height:auto}.note{margin:4px 0 0;font-size:13px}
.grid{stroke:var(--rule)}.tick{fill:var(--soft);font-size:11px}
.line{fill:none;stroke-width:2;stroke-linejoin:round}.line.dash{stroke-dasharray:5 4}
line.mark{stroke-width:1.5;opacity:.75}
.c0{stroke:var(--c0);border-color:var(--c0)}.c1{stroke:var(--c1);border-color:var(--c1)}
.c2{stroke:var(--c2);border-color:var(--c2)}.c3{stroke:var(--c3);border-color:var(--c3)}
.c4{stroke:var(--c4);border-color:var(--c4)}.c5{stroke:var(--c5);border-color:var(--c5)}
.mark.drift{stroke:var(--drift);border-color:var(--drift)}
.mark.promoted{stroke:var(--promoted);border-color:var(--promoted)}
.mark.dropped{stroke:var(--dropped);border-color:var(--dropped)}
.mark.undecided{stroke:var(--undecided);border-color:var(--undecided)}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:6px 12px;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
th{font-weight:600;color:var(--soft);font-size:13px}th:first-child,td:first-child,.left{text-align:left}
.story td{text-align:left;white-space:normal}
.story td:nth-child(-n+2){white-space:nowrap}
.tag{font-weight:600}.tag.drift{color:var(--drift)}.tag.promoted{color:var(--promoted)}
.tag.dropped{color:var(--soft)}.tag.undecided{color:var(--undecided)}.tag.trial{color:var(--trial)}
ul{margin:0;padding-left:20px}.past{margin:0 0 12px}
.lists{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,300px),1fr));gap:8px 32px}
.lists h3{font-size:15px;margin:0 0 4px;color:var(--c2)}.lists .other h3{color:var(--c1)}
.lists ol{margin:0;padding-left:20px}.lists li{margin:4px 0}.lists span{display:block;color:var(--soft);font-size:13px}
.lists .other b{font-weight:400}
@media (max-width:600px){svg{overflow:visible}.tick{font-size:18px}.line{stroke-width:3}main{padding:16px 12px 32px}}
"""

STORY_LINES = 200


class Extra(NamedTuple):
    """What a page shows beside the metrics: charts before the usual ones, and one user's lists."""

    charts: Sequence[Chart] = ()
    example: Example | None = None


NOTHING = Extra()


def page(
    title: str, when: str, settings: Settings, recorder: MetricHistory, extra: Extra = NOTHING,
    again: int | None = None,
) -> str:  # fmt: skip
    """Return the whole page. when: a line below the title. again: seconds after which a browser loads it again."""
    heads = "".join(
        f"<div><b>{escape(value)}</b><span>{escape(what)}</span></div>"
        for what, value in headlines(settings, recorder)
    )
    words = "".join(f"<li>{escape(sentence)}</li>" for sentence in in_words(settings, recorder))
    drawn = "".join(draw(chart) for chart in (*extra.charts, *charts(settings, recorder)))
    refresh = "" if again is None else f'<meta http-equiv="refresh" content="{again}">'
    example = "" if extra.example is None else section(extra.example)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<link rel="icon" href="data:,">{refresh}'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>"
        f'<h1>{escape(title)}</h1><div class="soft">{escape(when)}</div><div class="heads">{heads}</div>'
        f'{example}<h2>In words</h2><div class="card"><ul>{words}</ul></div>'
        f'<h2>Over time</h2><div class="charts">{drawn}</div>'
        f'<h2>Figures</h2><p class="soft">Of the {LATEST}: {escape(LATEST_MEANS)}.</p>'
        f'<div class="card scroll">{_table(settings, recorder)}</div>'
        f'<h2>Drifts, what was tried, and the verdicts</h2><div class="card scroll">{_story(recorder)}</div>'
        "</main></body></html>\n"
    )


def _table(settings: Settings, recorder: MetricHistory) -> str:
    shown = [metric for metric in NAMES if any(row.errors[metric][0] for row in rows(settings, recorder))]
    heads = ["domain", "role", "events"]
    for metric in shown:
        heads += [NAMES[metric], "without transfer", "better by"]
    heads += ["drifts", "dead letters"]
    lines = []
    for row in rows(settings, recorder):
        cells = [row.domain, row.role, f"{row.events:,}"]
        for metric in shown:
            full, target_only = row.errors[metric]
            better = gain(metric, full, target_only) if row.role != "source" else ""
            cells += [
                figure(metric, full) or "–",
                figure(metric, target_only) if better else "–",
                better or "–",
            ]
        cells += [f"{row.drifts:,}", f"{row.dead_letters:,}"]
        lines.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _story(recorder: MetricHistory) -> str:
    told = story(recorder)
    if not told:
        return '<p class="none">No drift was seen, and nothing was tried.</p>'
    lines = "".join(
        f'<tr><td>{escape(when)}</td><td><span class="tag {kind}">{kind}</span></td><td>{escape(words)}</td></tr>'
        for when, kind, words in told[-STORY_LINES:]
    )
    left = (
        f'<p class="none">{len(told) - STORY_LINES:,} earlier ones left out.</p>'
        if len(told) > STORY_LINES
        else ""
    )
    return f'{left}<table class="story"><tbody>{lines}</tbody></table>'
