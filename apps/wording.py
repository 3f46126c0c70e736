"""The sentences of the pages, and names from outside made harmless for them."""

from __future__ import annotations

import re

RANDOM = "**Random weights: the map means nothing.** This model has learned nothing yet; it only shows how the page works."
RANDOM_FEATURES = (
    "**Random weights: similar means little.** This model has learned nothing yet; its features tell colours and coarse texture, no more."
)
RANDOM_BOXES = "**Random weights: the boxes mean nothing.** This detector has learned nothing yet; it only shows how the page works."
MAPS = {
    "PCA": "The two directions in which the features vary most. Distances on the map are true where these two are most of it.",
    "t-SNE": "Near pictures stay near. The size of a cluster and the gap between two mean nothing.",
}
"""Method -> how to read its map."""
BLIND = {
    "class": "**It never asks about the class**: every class gets this map.",
    "weights": "**It depends little on what the model has learned**: on our test bed much of the map stays when the weights are random.",
}
"""What a method cannot see -> its warning."""
LIMITS = """
- A map shows *where* the score is sensitive, not *why*. A plausible map is no proof that the model is right.
- Ask about a second class. If its map looks the same, the map says little about either.
- The colours run from zero to the highest value of this one map: between maps compare the numbers, not the brightness.
"""
PLAN = """
- **Parameters** are what training adjusts; **multiply-adds** are the work for one picture. They need not go together: a convolution
  uses each weight at every place, a dense layer once.
- **Sees** is the side of the window of pixels that one unit of the stage depends on. Beyond the size of the picture it sees all of it.
- **Memory** counts the numbers alive at once for one picture in float32, without the weights.
"""
FLAT = "The map is empty: nothing in this layer speaks for this class. Try another layer, method or class."


def literal(text: object, longest: int = 60) -> str:
    """A name from a file, a run or an address, safe inside Streamlit's Markdown: one line, not too long, all punctuation escaped."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", short(text, longest))


def short(text: object, longest: int = 60) -> str:
    """One line of at most `longest` characters, for places that show plain text."""
    line = " ".join(str(text).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
