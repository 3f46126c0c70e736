"""Drawings of `zoo.viz` for a page, light or dark as the visitor's theme."""

from __future__ import annotations

import io

import streamlit as st
from matplotlib.figure import Figure

from zoo.viz.dark import dark


def is_dark() -> bool:
    return st.context.theme.type == "dark"


def png(figure: Figure, on_dark: bool) -> bytes:
    """The bytes of a PNG file, sharp on a screen with two pixels for one."""
    buffer = io.BytesIO()
    (dark(figure) if on_dark else figure).savefig(buffer, format="png", dpi=160)
    return buffer.getvalue()
