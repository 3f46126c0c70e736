"""The doctor's answer as one HTML page: complete in itself, in the look of the reports, with the pictures that it talks about."""

from __future__ import annotations

import base64
import html
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.data.labels.draft import UNSPLIT, ordered
from zoo.data.labels.findings import ERROR, KINDS, NOTE, WARNING, Checkup

ROWS = 40
"""Lines of a table before the rest is only counted."""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
.shots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); gap: 1.2rem 1rem; }
.shots { margin: 1.4rem 0 2rem; align-items: start; }
.shots figure { margin: 0; }
.shots figure .picture { padding: 0; overflow: hidden; line-height: 0; }
.shots figure img { width: 100%; max-width: 100%; }
.shots figcaption { font-size: .84rem; line-height: 1.4; margin-top: .4rem; }
.severity { font-size: .72rem; font-weight: 650; letter-spacing: .06em; text-transform: uppercase; vertical-align: .22em; margin-left: .5em;
  padding: .15em .55em; border-radius: 1em; border: 1px solid currentColor; }
.severity.error { color: var(--fail); } .severity.warning { color: var(--accent); } .severity.note { color: var(--soft); }
td.bar { min-width: 9rem; } td.bar span { display: block; height: .8em; border-radius: .2em; background: var(--accent); margin-top: .3em; }
"""


@dataclass(frozen=True)
class Shot:
    """A picture on the page: the bytes of a JPEG file, its size, and what it shows."""

    jpeg: bytes
    width: int
    height: int
    caption: str


def page(checkup: Checkup, shots: Mapping[str, Sequence[Shot]]) -> str:
    """The whole page. shots: {kind of finding, or "" for a sample of the set: pictures}."""
    kinds = [kind for kind in KINDS if checkup.of(kind)]
    title = f"Labels of {checkup.draft.root.resolve().name}"
    contents = "".join(
        f'<li class="level2"><a href="#{_anchor(kind)}">{html.escape(kind)} ({len(checkup.of(kind))})</a></li>' for kind in kinds
    )
    contents += '<li class="level2"><a href="#classes">The classes</a></li><li class="level2"><a href="#sample">A sample</a></li>'
    body = [_numbers(checkup), _verdict(checkup), *(_section(checkup, kind, shots.get(kind, ())) for kind in kinds)]
    body += ['<h2 id="classes">The classes</h2>', _classes(checkup)]
    body += [
        '<h2 id="sample">A sample</h2>',
        "<p>Look at them: no program sees a box around the wrong thing.</p>",
        _gallery(shots.get("", ())),
    ]
    style = Path(__file__).parents[2].joinpath("report.css").read_text(encoding="utf-8")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{html.escape(title)}</title>
<style>
{style}{_STYLE}</style>
</head>
<body>
<header class="title"><h1>{html.escape(title)}</h1>
<p>{html.escape(checkup.summary())}</p></header>
<nav class="contents" aria-label="Contents"><details open><summary>Contents</summary><ol>{contents}</ol></details></nav>
<main>
{chr(10).join(body)}
</main>
<footer>This page is complete in itself: its pictures and styles are inside, and it loads nothing from anywhere.</footer>
</body>
</html>
"""


def _numbers(checkup: Checkup) -> str:
    sheets = checkup.draft.sheets
    count = Counter(KINDS[item.kind][0] for item in checkup)
    figures = {
        "pictures": len(sheets),
        "objects": sum(len(sheet.rows) for sheet in sheets),
        "errors": count[ERROR],
        "warnings": count[WARNING],
        "notes": count[NOTE],
    }
    cells = "".join(f"<div><dt>{name}</dt><dd>{number:,}</dd></div>" for name, number in figures.items())
    return f'<dl class="numbers">{cells}</dl>'


def _verdict(checkup: Checkup) -> str:
    if not checkup:
        text = "What is listed below is worth knowing, and stops nothing."
        return f'<div class="note pass"><p><span class="kind">No errors.</span>{text}</p></div>'
    errors = [f"{len(checkup.of(kind))} {kind}" for kind in KINDS if KINDS[kind][0] == ERROR and checkup.of(kind)]
    text = f"{html.escape(', '.join(errors))}. A detector trained on this learns the errors too, or does not train at all."
    return f'<div class="note fail"><p><span class="kind">Errors.</span>{text}</p></div>'


def _section(checkup: Checkup, kind: str, shots: Sequence[Shot]) -> str:
    severity, meaning = KINDS[kind]
    found = checkup.of(kind)
    heading = f'<h2 id="{_anchor(kind)}">{html.escape(kind.capitalize())}<span class="severity {severity}">{severity}</span></h2>'
    rows = "".join(
        f"<tr><td>{html.escape(checkup.within(item.path))}</td><td>{html.escape(item.reason)}</td></tr>" for item in found[:ROWS]
    )
    more = f"<p>... and {len(found) - ROWS:,} more.</p>" if len(found) > ROWS else ""
    table = _table("<tr><th>file</th><th>what</th></tr>", rows)
    return f"{heading}<p>{len(found):,}: {html.escape(meaning)}.</p>{_gallery(shots)}{table}{more}"


def _table(head: str, rows: str) -> str:
    table = f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"
    return f'<div class="table" tabindex="0" role="region" aria-label="Table">{table}</div>'


def _gallery(shots: Sequence[Shot]) -> str:
    if not shots:
        return ""
    figures = []
    for shot in shots:
        source = base64.b64encode(shot.jpeg).decode()
        text = html.escape(shot.caption)
        image = f'<img src="data:image/jpeg;base64,{source}" width="{shot.width}" height="{shot.height}" alt="{text}" loading="lazy">'
        figures.append(f'<figure><div class="picture">{image}</div><figcaption>{text}</figcaption></figure>')
    return f'<div class="shots">{"".join(figures)}</div>'


def _classes(checkup: Checkup) -> str:
    draft = checkup.draft
    counts: dict[str, Counter] = {}
    for sheet in draft.sheets:
        counts.setdefault(sheet.split, Counter()).update(row.number for row in sheet.rows)
    total: Counter = sum(counts.values(), Counter())
    splits = ordered(counts) if set(counts) != {UNSPLIT} else []
    head = "".join(f'<th class="number">{html.escape(split)}</th>' for split in splits)
    lines = []
    numbers = sorted({*range(len(draft.classes)), *total})
    for number in numbers[:200]:
        name = draft.classes[number] if 0 <= number < len(draft.classes) else "(no name)"
        share = 100 * total[number] / max(total.values(), default=1)
        cells = "".join(f'<td class="number">{counts[split][number]:,}</td>' for split in splits)
        bar = f'<td class="bar"><span style="width:{share:.1f}%"></span></td>'
        lines.append(
            f'<tr><td class="number">{number}</td><td>{html.escape(name)}</td>{cells}<td class="number">{total[number]:,}</td>{bar}</tr>'
        )
    header = f'<tr><th class="number">number</th><th>name</th>{head}<th class="number">objects</th><th></th></tr>'
    return _table(header, "".join(lines))


def _anchor(kind: str) -> str:
    return kind.replace(" ", "-")
