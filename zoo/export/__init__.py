"""Model -> file for other runtimes, written atomically and checked; and the measurement that the file still agrees."""

from __future__ import annotations

from zoo.export.agree import agreement
from zoo.export.write import FORMATS, export, format_of

__all__ = ["FORMATS", "agreement", "export", "format_of"]
