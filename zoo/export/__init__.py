"""Model -> file for other runtimes, written atomically and checked; and the measurement that the file still agrees.

The folding of batch normalisation is `zoo.export.fold.fold`: it needs Keras at once, which nothing here does.
"""

from __future__ import annotations

from zoo.export.agree import agreement
from zoo.export.check import check_files
from zoo.export.write import FORMATS, PRECISIONS, export, format_of

__all__ = ["FORMATS", "PRECISIONS", "agreement", "check_files", "export", "format_of"]
