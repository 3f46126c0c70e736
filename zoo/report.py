"""A report that a person can read: report.md beside its figures, and report.html that is complete in one file.

The page needs no network and no script: styles and figures are inside, its security policy forbids all else. Everything that
comes from users (class names, file names, captions) is escaped. No framework is imported here.

    report = Report("First CNN", "What did it learn?")
    report.heading("The data").text("**Ten** classes.").figure(run.figure("grid", images(...)), "Six images of each class")
    report.write(run.folder)
"""

from __future__ import annotations

import base64
import dataclasses
import html
import inspect
import io
import math
import os
import re
import sys
import urllib.parse
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo import atomic
from zoo.markup import html_blocks, inline_html, inline_markdown, markdown_blocks, plain_markdown

_NUMBER = re.compile(r"[-+−±]? ?\d[\d,.]*(e[-+]?\d+)?( ?[±–-] ?\d[\d,.]*)?( ?(%|s|ms|min|h|px|[kMGT]i?B|[kMG]))?|–|")
_FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
_KINDS = {"note": "Note", "pass": "Expectation met", "fail": "Expectation not met"}
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_LARGE = 120_000
_WIDEST = 1800
_PAGE_DPI = 100


class Report:
    """A report as a list of blocks. Every method adds one block and returns the report, so that calls can be chained.

    `text`, `caption`, `answer` and the values of `facts` understand the markup of `zoo.markup`; titles, table cells and code are
    shown exactly as they are. To quote user data inside markup use `zoo.markup.literal`.
    """

    def __init__(self, title: str, intro: str = ""):
        self.title = str(title)
        self.intro = intro
        self._blocks: list[tuple[str | Picture, str]] = []
        self._contents: list[tuple[int, str, str]] = []
        self._anchors: set[str] = set()
        self._tables = 0

    def heading(self, text: str, level: int = 2) -> Report:
        """A heading of level 2 (section), 3 or 4; levels 2 and 3 stand in the table of contents."""
        if level not in (2, 3, 4):
            raise ValueError(f"a heading has level 2, 3 or 4 (1 is the title), got {level}")
        anchor = self._anchor(text)
        if level < 4:
            self._contents.append((level, str(text), anchor))
        return self._add(f'<h{level} id="{anchor}">{html.escape(str(text))}</h{level}>', f"{'#' * level} {plain_markdown(text)}")

    def text(self, markup: str) -> Report:
        """Paragraphs and lists; a docstring may be passed as it is."""
        return self._add(html_blocks(markup), markdown_blocks(markup))

    def quote(self, markup: str) -> Report:
        """A quotation."""
        lines = [f"> {line}".rstrip() for line in markdown_blocks(markup).splitlines()]
        return self._add(f"<blockquote>{html_blocks(markup)}</blockquote>", "\n".join(lines))

    def code(self, text: str) -> Report:
        """Preformatted text, shown exactly."""
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
        return self._add(f"<pre><code>{html.escape(text)}</code></pre>", f"{fence}\n{text}\n{fence}")

    def note(self, markup: str, kind: str = "note") -> Report:
        """A remark that stands out. kind: "note", "pass" (an expectation was met) or "fail" (it was not)."""
        if kind not in _KINDS:
            raise ValueError(f"the kind of a note is one of {', '.join(_KINDS)}, got {kind!r}")
        label = f'<span class="kind">{_KINDS[kind]}.</span>'
        body = html_blocks(markup)
        body = f"<p>{label}{body[3:]}" if body.startswith("<p>") else f"<p>{label}</p>{body}"
        lines = f"**{_KINDS[kind]}.** {markdown_blocks(markup)}".splitlines()
        return self._add(f'<div class="note {kind}">{body}</div>', "\n".join(f"> {line}".rstrip() for line in lines))

    def question(self, text: str, answer: str) -> Report:
        """A question to answer before reading on; the answer opens on a click."""
        label, asked = "Predict before you look", inline_html(" ".join(text.split()))
        summary = f'<summary><span class="kind">{label}</span>{asked}</summary>'
        page = f'<details class="question">{summary}<div>{html_blocks(answer)}</div></details>'
        # A summary is HTML inside Markdown: a bracket must not begin a link there.
        asked = asked.replace("[", "&#91;")
        markdown = f"<details><summary><b>{label}:</b> {asked}</summary>\n\n{markdown_blocks(answer)}\n\n</details>"
        return self._add(page, markdown)

    def facts(self, facts: Mapping[str, object]) -> Report:
        """A card of short facts: name -> markup."""
        rows = [(str(name), cell(fact)) for name, fact in facts.items()]
        page = "".join(f"<dt>{html.escape(name)}</dt><dd>{inline_html(fact)}</dd>" for name, fact in rows)
        lines = [f"- **{plain_markdown(name)}**: {inline_markdown(fact)}" for name, fact in rows]
        return self._add(f'<dl class="facts">{page}</dl>', "\n".join(lines))

    def numbers(self, numbers: Mapping[str, object]) -> Report:
        """The few numbers that matter, large: name -> number or text."""
        rows = [(str(name), cell(number)) for name, number in numbers.items()]
        page = "".join(f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(number)}</dd></div>" for name, number in rows)
        lines = [f"- {plain_markdown(name)}: **{plain_markdown(number)}**" for name, number in rows]
        return self._add(f'<dl class="numbers">{page}</dl>', "\n".join(lines))

    def table(self, header: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> Report:
        """A table; columns of numbers are aligned to the right. Cells are shown as `cell` formats them, without markup.

        Raises ValueError naming the first row whose length differs from the header's.
        """
        texts = [[cell(value) for value in row] for row in rows]
        for index, row in enumerate(texts):
            if len(row) != len(header):
                raise ValueError(
                    f"the table has {len(header)} columns ({', '.join(map(str, header))}), but row {index} has {len(row)}: {row}"
                )
        numeric = [bool(texts) and all(_NUMBER.fullmatch(row[column]) for row in texts) for column in range(len(header))]
        label, lines = "", []
        if caption:
            self._tables += 1
            label = f'<caption class="caption"><b>Table {self._tables}.</b> {inline_html(caption)}</caption>'
            lines.append(f"**Table {self._tables}.** {inline_markdown(caption)}\n")
        lines.append("| " + " | ".join(plain_markdown(name) for name in header) + " |")
        lines.append("|" + "|".join("---:" if number else "---" for number in numeric) + "|")
        lines += ["| " + " | ".join(plain_markdown(text) for text in row) + " |" for row in texts]
        head = _row("th", map(str, header), numeric)
        body = "\n".join(_row("td", row, numeric) for row in texts)
        page = f"<table>{label}<thead>{head}</thead>\n<tbody>{body}</tbody></table>"
        return self._add(f'<div class="table" tabindex="0" role="region" aria-label="Table">{page}</div>', "\n".join(lines))

    def figure(self, path: str | os.PathLike, caption: str, alt: str | None = None) -> Report:
        """A picture file (PNG, JPEG, WebP, GIF) with its caption.

        alt: what the picture shows, for those who cannot see it; default: the caption.
        Raises FileNotFoundError for a missing file, ValueError for one that is no picture or a figure without caption.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"the report wants the figure {path}, which does not exist; save it first by run.figure(name, figure)")
        if not caption.strip():
            raise ValueError(f"the figure {path} needs a caption: it is also what readers hear who cannot see it")
        _check_picture(path)
        number = 1 + sum(isinstance(block, Picture) for block, _ in self._blocks)
        spoken = " ".join((alt or html.unescape(re.sub(r"<[^>]+>", "", inline_html(caption)))).split())
        return self._add(Picture(path, number, caption, spoken), f"**Figure {number}.** {inline_markdown(caption)}")

    def lesson(self, step: Callable) -> Report:
        """The docstring of a project's step: its first line is the heading, the rest the text of the section."""
        if not step.__doc__:
            raise ValueError(f"{step.__name__} has no docstring; it is the lesson's prose")
        heading, _, prose = inspect.cleandoc(step.__doc__).partition("\n\n")
        self.heading(heading.rstrip("."))
        return self.text(prose) if prose else self

    def promises(self, floors: Mapping[str, float | None], reached: Mapping[str, float]) -> list[str]:
        """A section that holds what a run reached against what was promised; returns one sentence for each broken promise.

        floors: the least value of each number; None promises nothing. A promised number that was not reached at all is broken.
        """
        rows, broken = [], []
        for name, floor in floors.items():
            if floor is None:
                continue
            value = reached.get(name)
            kept = value is not None and value >= floor
            rows.append([name, floor, value, "kept" if kept else "broken"])
            if not kept:
                broken.append(f"{name} is {cell(value)}, promised was at least {cell(floor)}")
        self.heading("What was promised")
        if not rows:
            self.text("This kind of data carries no promise: the numbers above are what they are.")
            return broken
        self.table(["number", "at least", "this run", "promise"], rows)
        self.note("; ".join(broken) + "." if broken else "Every promise of this run was kept.", "fail" if broken else "pass")
        return broken

    def close(self, run: Any, floors: Mapping[str, float | None], reached: Mapping[str, float], *, seed: int) -> None:
        """The last sections, promises and where and how long it ran; then write both files into the folder of `run` and print where.

        floors, reached: as `promises` takes them. Raises SystemExit for a broken promise, when the report is written.
        """
        broken = self.promises(floors, reached)
        where = run.environment
        self.heading("Where and how long")
        self.facts({name: f"{seconds:.0f} s" for name, seconds in run.seconds().items()})
        self.text(f"{where['platform']}, {where['cpus']} CPUs, Python {where['python']}, backend {where['backend']}, seed {seed}.")
        print(f"report: {self.write(run.folder)}")
        if broken:
            sys.exit("broken promise: " + "; ".join(broken) + ". The report is complete: look there before you lower the number.")

    def write(self, folder: str | os.PathLike) -> Path:
        """Write report.md and report.html into `folder`, atomically, and return the path of report.html."""
        folder = Path(folder)
        pages, texts = [], [f"# {plain_markdown(self.title)}"] + ([markdown_blocks(self.intro)] if self.intro else [])
        for block, markdown in self._blocks:
            if isinstance(block, Picture):
                texts.append(block.markdown(folder))
            pages.append(block.page() if isinstance(block, Picture) else block)
            texts.append(markdown)
        atomic.write(folder / "report.md", "\n\n".join(texts) + "\n")
        return atomic.write(folder / "report.html", self._page("\n".join(pages)))

    def _add(self, page: str | Picture, markdown: str) -> Report:
        self._blocks.append((page, markdown))
        return self

    def _anchor(self, text: object) -> str:
        anchor = re.sub(r"[^a-z0-9]+", "-", str(text).lower()).strip("-") or "section"
        unique, number = anchor, 2
        while unique in self._anchors:
            unique, number = f"{anchor}-{number}", number + 1
        self._anchors.add(unique)
        return unique

    def _page(self, body: str) -> str:
        items = "".join(
            f'<li class="level{level}"><a href="#{anchor}">{html.escape(text)}</a></li>' for level, text, anchor in self._contents
        )
        contents = f"<details open><summary>Contents</summary><ol>{items}</ol></details>"
        contents = f'<nav class="contents" aria-label="Contents">{contents}</nav>' if items else ""
        style = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
        return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{html.escape(self.title)}</title>
<style>
{style}</style>
</head>
<body>
<header class="title"><h1>{html.escape(self.title)}</h1>
{html_blocks(self.intro) if self.intro else ""}</header>
{contents}
<main>
{body}
</main>
<footer>This page is complete in itself: its figures and styles are inside, and it loads nothing from anywhere.</footer>
</body>
</html>
"""


@dataclasses.dataclass(frozen=True)
class Picture:
    """A figure block: its bytes are read when the report is written."""

    path: Path
    number: int
    caption: str
    alt: str

    def page(self) -> str:
        """HTML with the bytes inside."""
        data, kind, width, height = _encoded(self.path)
        width, height = _shown_size(self.path, width, height)
        source = base64.b64encode(data).decode()
        size = f'width="{width}" height="{height}" style="--natural:{width}px"'
        image = f'<img src="data:{kind};base64,{source}" alt="{html.escape(self.alt)}" {size}>'
        caption = f"<figcaption><b>Figure {self.number}.</b> {inline_html(self.caption)}</figcaption>"
        return f'<figure><div class="picture">{image}</div>{caption}</figure>'

    def markdown(self, folder: Path) -> str:
        """Markdown that links the file relative to `folder`."""
        link = Path(os.path.relpath(self.path.resolve(), folder.resolve())).as_posix()
        return f"![{plain_markdown(self.alt)}]({urllib.parse.quote(link)})"


def cell(value: object) -> str:
    """A value as a table shows it: integers with thousands separators, floats with three decimals, None and NaN as a dash."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        return cell(value.item())
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if not math.isfinite(value):
            return "–" if math.isnan(value) else str(value)
        return f"{value:.3f}" if value == 0 or 0.001 <= abs(value) < 1e6 else f"{value:.2e}"
    return " ".join(str(value).split())


def _row(tag: str, texts: Iterable[str], numeric: Sequence[bool]) -> str:
    kinds = [' class="number"' if number else "" for number in numeric]
    return "<tr>" + "".join(f"<{tag}{kind}>{html.escape(text)}</{tag}>" for kind, text in zip(kinds, texts, strict=True)) + "</tr>"


def _check_picture(path: Path) -> None:
    from PIL import Image

    try:
        with Image.open(path, formats=list(_FORMATS)) as picture:
            picture.verify()
    except (OSError, SyntaxError) as error:
        raise ValueError(f"the figure {path} is no PNG, JPEG, WebP or GIF picture: {error}") from error


def _shown_size(path: Path, width: int, height: int) -> tuple[int, int]:
    """Width and height on the page: a file that says its resolution keeps its letters at the same size as other figures."""
    from PIL import Image

    with Image.open(path, formats=list(_FORMATS)) as picture:
        pixels, dots = picture.width, float(picture.info.get("dpi", (_PAGE_DPI, 0))[0])
    shown = round(pixels * _PAGE_DPI / dots) if dots > 0 else pixels
    return shown, max(1, round(shown * height / width))


def _encoded(path: Path) -> tuple[bytes, str, int, int]:
    """The bytes, media type, width and height to embed: large pictures are re-encoded as WebP when that is smaller."""
    from PIL import Image

    data = path.read_bytes()
    with Image.open(path, formats=list(_FORMATS)) as picture:
        width, height = picture.size
        kind = _FORMATS[str(picture.format)]
        if getattr(picture, "n_frames", 1) > 1 or (len(data) <= _LARGE and width <= _WIDEST):
            return data, kind, width, height
        still = picture.convert("RGBA")
    if width > _WIDEST:
        still = still.resize((_WIDEST, max(1, round(height * _WIDEST / width))), Image.Resampling.LANCZOS)
    smaller = io.BytesIO()
    Image.alpha_composite(Image.new("RGBA", still.size, "white"), still).convert("RGB").save(smaller, "WEBP", quality=85, method=4)
    if smaller.tell() < len(data):
        return smaller.getvalue(), "image/webp", *still.size
    return data, kind, width, height
