"""The same picture twice: saved again, resized, brightened, cropped a little. A file's bytes do not tell; its features do."""

from __future__ import annotations

import numpy as np

from zoo.explain.concepts import checked, unit
from zoo.explain.neighbours import SimilarityIndex

THRESHOLD = 0.98
"""Cosine from which two pictures count as the same by default."""
_ROWS = 1024


def near_duplicates(pictures: SimilarityIndex | np.ndarray, threshold: float = THRESHOLD) -> list[list[int]]:
    """Groups of near duplicates: lists of rows of two or more, rows ascending, groups by their first row.

    pictures:  an index, or features (n, c), which need not be normalised. Memory grows with n, not with its square.
    threshold: cosine in (-1, 1] from which two pictures are linked.

    Groups are connected components: a picture may be linked to another by a chain of pictures in between. How high a cosine means
    "the same" depends on the model: look at the groups before you delete a file. Rows of zeros resemble nothing.
    """
    if isinstance(threshold, bool) or not -1 < threshold <= 1:
        raise ValueError(f"the threshold is a cosine in (-1, 1], got {threshold!r}")
    rows = unit(checked(pictures.features if isinstance(pictures, SimilarityIndex) else pictures))
    found: dict[int, list[int]] = {}
    for row, group in enumerate(_components(rows, threshold)):
        found.setdefault(int(group), []).append(row)
    return [group for group in found.values() if len(group) > 1]


def _components(rows: np.ndarray, threshold: float) -> np.ndarray:
    """The number of its component for each row (n, c)."""
    try:
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components
    except ImportError as error:
        raise ImportError("near duplicates need scipy, which is not installed; run: pip install 'vision-zoo-keras[concepts]'") from error
    alive: np.ndarray = np.asarray(rows.any(axis=1))
    component = np.arange(len(rows))
    for start in range(0, len(rows), _ROWS):
        close = np.asarray(rows[start : start + _ROWS] @ rows.T >= threshold - 1e-6)  # float32 rows of length 1 miss it by rounding
        left, right = np.nonzero(close & alive[start : start + _ROWS, None] & alive)
        # One link to each picture's component stands for all links found before.
        ends = np.concatenate([left + start, np.arange(len(rows))]), np.concatenate([right, component])
        component = connected_components(coo_matrix((np.ones(len(ends[0]), bool), ends), shape=(len(rows),) * 2), directed=False)[1]
        component = np.unique(component, return_index=True)[1][component]  # named by its first picture
    return component
