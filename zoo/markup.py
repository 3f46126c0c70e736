"""The little markup that reports understand, to HTML and back to safe Markdown.

Inline: **bold**, *italics*, `code`, [text](http...), and a backslash before a sign that is meant literally. Blocks: paragraphs
apart by an empty line, and lists of lines that begin with "- ". All else is text and is escaped: class names, file names and
captions come from users. No framework is imported here.
"""

from __future__ import annotations

import html
import inspect
import re

_TOKEN = re.compile(
    r"(?P<escape>\\[\\`*\[\]()<>&#_|!-])"
    r"|`(?P<code>[^`\n]+)`"
    r"|\*\*(?P<bold>(?=\S).+?(?<=\S))\*\*"
    r"|\*(?P<italics>(?=[^\s*])[^*]*?(?<=\S))\*"
    r"|\[(?P<text>[^\[\]\n]+)\]\((?P<url>https?://[^\s()<>\"']+)\)",
    re.DOTALL,
)
_SIGNS = re.compile(r"([\\`*\[\]_|<>#!])")


def literal(text: object) -> str:
    """User data (a class name, a file name) as markup that shows exactly that text."""
    return re.sub(r"([\\`*\[\]])", r"\\\1", " ".join(str(text).split()))


def inline_html(text: str) -> str:
    """Inline markup -> HTML; whatever is no markup is escaped."""
    return _inline(text, html.escape, _HTML)


def inline_markdown(text: str) -> str:
    """Inline markup -> Markdown in which only our markup is active and no HTML passes."""
    return _inline(text, plain_markdown, _MARKDOWN)


def plain_markdown(text: object) -> str:
    """Any text as Markdown that shows exactly that text, on one line."""
    return _SIGNS.sub(r"\\\1", " ".join(str(text).split())).replace("&", "&amp;").replace("\\<", "&lt;").replace("\\>", "&gt;")


def blocks(text: str) -> list[str | list[str]]:
    """Markup -> paragraphs (str) and lists (list of str), with the indentation of a docstring removed."""
    found: list[str | list[str]] = []
    for block in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        lines = [line.strip() for line in block.splitlines() if line.strip()]
        paragraph: list[str] = []
        items: list[str] = []
        for line in lines:
            if line.startswith("- "):
                items.append(line[2:].strip())
            elif items:
                items[-1] += f" {line}"
            else:
                paragraph.append(line)
        if paragraph:
            found.append(" ".join(paragraph))
        if items:
            found.append(items)
    return found


def html_blocks(text: str) -> str:
    """Markup -> HTML paragraphs and lists."""
    parts = []
    for block in blocks(text):
        if isinstance(block, str):
            parts.append(f"<p>{inline_html(block)}</p>")
        else:
            parts.append("<ul>" + "".join(f"<li>{inline_html(item)}</li>" for item in block) + "</ul>")
    return "\n".join(parts)


def markdown_blocks(text: str) -> str:
    """Markup -> Markdown paragraphs and lists."""
    return "\n\n".join(
        inline_markdown(block) if isinstance(block, str) else "\n".join(f"- {inline_markdown(item)}" for item in block)
        for block in blocks(text)
    )


_HTML = {
    "code": lambda code, _: f"<code>{html.escape(code)}</code>",
    "bold": lambda inner, _: f"<strong>{inner}</strong>",
    "italics": lambda inner, _: f"<em>{inner}</em>",
    "text": lambda inner, url: f'<a href="{html.escape(url)}" rel="noreferrer">{inner}</a>',
}
_MARKDOWN = {
    "code": lambda code, _: f"`{code}`",
    "bold": lambda inner, _: f"**{inner}**",
    "italics": lambda inner, _: f"*{inner}*",
    "text": lambda inner, url: f"[{inner}]({url})",
}


def _inline(text: str, escape, render) -> str:
    parts, end = [], 0
    for token in _TOKEN.finditer(text):
        parts.append(_escaped(text[end : token.start()], escape))
        end = token.end()
        kind = "text" if token.lastgroup == "url" else str(token.lastgroup)
        content = token[kind]
        if kind == "escape":
            parts.append(escape(content[1]))
        elif kind == "code":
            parts.append(render["code"](content, None))
        else:
            parts.append(render[kind](_inline(content, escape, render), token["url"]))
    parts.append(_escaped(text[end:], escape))
    return "".join(parts)


def _escaped(text: str, escape) -> str:
    """Escape `text` but keep one blank at its ends, which separates it from the markup beside it."""
    if not text.strip():
        return " " if text else ""
    head = " " if text[0].isspace() else ""
    tail = " " if text[-1].isspace() else ""
    return head + escape(text.strip()) + tail
