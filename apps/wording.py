"""The sentences of the pages, and names from outside made harmless for them."""

from __future__ import annotations

import re

RANDOM = "**Random weights: the map means nothing.** This model has learned nothing yet; it only shows how the page works."
READ = {
    "Grad-CAM": "**Bright** regions raise the score of this class: the layer's channels, each weighted by its mean gradient.",
    "Grad-CAM++": "**Bright** regions raise the score of this class. Several objects each keep a share; Grad-CAM may lose small ones.",
    "Saliency": "**Bright** pixels change the score most when they change a little. It is noisy, and does not say in which direction.",
}
"""Method -> what its map shows."""
LIMITS = """
- A map shows *where* the score is sensitive, not *why*. A plausible map is no proof that the model is right.
- Ask about a second class. If its map looks the same, the map says little about either.
- The colours run from zero to the highest value of this one map: between maps compare the numbers, not the brightness.
"""
FLAT = "The map is empty: nothing in this layer speaks for this class. Try another layer, method or class."


def literal(text: object, longest: int = 60) -> str:
    """A name from a file, a run or an address, safe inside Streamlit's Markdown: one line, not too long, all punctuation escaped."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", short(text, longest))


def short(text: object, longest: int = 60) -> str:
    """One line of at most `longest` characters, for places that show plain text."""
    line = " ".join(str(text).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
