"""The space of features as a person can look at it: a map in the plane, and how far the classes lie apart.

A map of many dimensions in two must lie about most distances. PCA keeps the largest directions and is the same every time;
t-SNE (van der Maaten & Hinton 2008, JMLR 9) and UMAP (McInnes, Healy & Melville 2018, arXiv:1802.03426) keep who is near whom: in
their maps the sizes of clusters and the gaps between them mean nothing. The distances of `centroid_distances` are of the space itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

METHODS = ("pca", "tsne", "umap")
FEWEST = {"pca": 2, "tsne": 4, "umap": 4}
"""Points that a method needs: t-SNE's and UMAP's idea of a neighbourhood is empty below."""


def concept_map(features: np.ndarray, method: str = "pca", seed: int = 0) -> np.ndarray:
    """Features (n, c) -> places in the plane, float32 (n, 2); units mean nothing.

    method: "pca" (scikit-learn; needs 2 points, has no chance in it, and signs that do not depend on the order), "tsne"
            (scikit-learn; needs 4 points; perplexity 30, or a third of the other points where there are fewer than 91) or "umap"
            (umap-learn, an extra; needs 4 points; 15 neighbours, or all where there are fewer).
    seed:   of t-SNE and UMAP. Compare several before you believe a cluster.

    Divide the features by their lengths first (a `SimilarityIndex` has done so) when directions matter and brightness does not.
    Raises ValueError for an unknown method, too few points or values that are not finite; ImportError with the cure.
    """
    if method not in METHODS:
        raise ValueError(f"a concept map is drawn by one of {', '.join(METHODS)}, got {method!r}")
    points = checked(features)
    if len(points) < FEWEST[method]:
        cure = "" if method == "pca" else '; use "pca" for so few'
        raise ValueError(f"{method} needs at least {FEWEST[method]} points, got {len(points)}{cure}")
    return {"pca": _pca, "tsne": _tsne, "umap": _umap}[method](points, seed).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Centroids:
    """How k classes lie in the space of features, in the order of `classes`.

    counts:    int64 (k,), images of each class.
    centroids: float64 (k, c), mean features.
    cosine:    float64 (k, k), 1 - cosine between centroids, in [0, 2]; a centroid of length zero has distance 1 to all others.
    euclidean: float64 (k, k), distances between centroids.
    spread:    float64 (k,), mean Euclidean distance of a class' images from their own centroid.
    """

    classes: tuple[str, ...]
    counts: np.ndarray
    centroids: np.ndarray
    cosine: np.ndarray
    euclidean: np.ndarray
    spread: np.ndarray

    @property
    def nearest(self) -> np.ndarray:
        """int64 (k,): the class whose centroid is nearest by Euclidean distance, the first one of several; -1 for an only class."""
        if len(self.classes) == 1:
            return np.full(1, -1)
        apart = self.euclidean + np.diag(np.full(len(self.classes), np.inf))
        return apart.argmin(axis=1)

    def table(self) -> str:
        """One line per class: images, spread, nearest class and how far it is. A gap well below the spread means classes that overlap."""
        rows = [("class", "images", "spread", "nearest", "Euclidean", "cosine")]
        for row, near in enumerate(self.nearest):
            far = ("-", "-", "-") if near < 0 else (self.classes[near], f"{self.euclidean[row, near]:.3g}", f"{self.cosine[row, near]:.3f}")
            rows.append((self.classes[row], f"{self.counts[row]}", f"{self.spread[row]:.3g}", *far))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def centroid_distances(features: np.ndarray, labels: Sequence[int] | np.ndarray, classes: Sequence[str] | None = None) -> Centroids:
    """How far apart the classes lie: features (n, c), int labels (n,) -> `Centroids` of the classes that occur.

    classes: names by label; default: the labels themselves.
    Raises ValueError for lengths that differ, labels that are no ints or have no name, or values that are not finite.
    Distances of unnormalised features are ruled by the few channels that vary most.
    """
    points = checked(features).astype(np.float64)
    labels = np.asarray(labels)
    if labels.shape != (len(points),) or labels.dtype.kind not in "iu":
        raise ValueError(f"{len(points)} features need as many int labels, got {labels.dtype} of shape {labels.shape}")
    present, members, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if classes is not None and (present[0] < 0 or present[-1] >= len(classes)):
        raise ValueError(f"labels from {present[0]} to {present[-1]} need a name each, {len(classes)} names were given")
    names = tuple(str(label if classes is None else classes[label]) for label in present)
    centroids = np.stack([points[members == row].mean(axis=0) for row in range(len(present))])
    own = np.linalg.norm(points - centroids[members], axis=1)
    spread = np.bincount(members, weights=own) / counts
    apart = np.linalg.norm(centroids[:, None] - centroids[None], axis=-1)
    directions = unit(centroids)
    cosine = np.clip(1 - directions @ directions.T, 0, 2)
    np.fill_diagonal(cosine, 0)
    return Centroids(names, counts, centroids, cosine, apart, spread)


def checked(features) -> np.ndarray:
    """Features as a finite floating array (n, c) with at least one row and column; raises ValueError."""
    points = np.asarray(features)
    points = points if points.dtype in (np.float32, np.float64) else points.astype(np.float32)
    if points.ndim != 2 or not points.size:
        raise ValueError(f"features are an array (n, c) with one row per image, got shape {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError(f"features must be finite, {np.count_nonzero(~np.isfinite(points).all(axis=1))} rows hold NaN or infinity")
    return points


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows (n, c) divided by their lengths; a row of zeros has no direction and stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


def _pca(points: np.ndarray, seed: int) -> np.ndarray:
    decomposition = _scikit("decomposition")
    axes = min(2, *points.shape)
    with np.errstate(invalid="ignore"):  # of equal points it divides no variance by no variance, for a number that is not used
        places = decomposition.PCA(axes, svd_solver="full").fit_transform(points.astype(np.float64))
    return np.pad(places, ((0, 0), (0, 2 - axes)))  # one channel has one axis


def _tsne(points: np.ndarray, seed: int) -> np.ndarray:
    manifold = _scikit("manifold")
    start = _pca(points, seed)
    start *= 1e-4 / max(float(start[:, 0].std()), 1e-12)  # as scikit-learn scales its own PCA start
    perplexity = min(30.0, (len(points) - 1) / 3)
    return manifold.TSNE(2, perplexity=perplexity, init=start.astype(np.float32), random_state=seed, n_jobs=1).fit_transform(points)


def _umap(points: np.ndarray, seed: int) -> np.ndarray:
    try:
        import umap
    except (ImportError, RuntimeError) as error:  # its import tries further packages, and one that is broken raises RuntimeError
        reason = "which is not installed" if isinstance(error, ImportError) else f"which cannot be imported here ({error})"
        raise ImportError(
            f"a concept map by umap needs umap-learn, {reason}; run: pip install 'vision-zoo-keras[umap]', or use \"tsne\""
        ) from error
    neighbours = min(15, len(points) - 1)
    # Its spectral start needs an eigensolver that fails on few points.
    return umap.UMAP(n_neighbors=neighbours, init="pca" if min(points.shape) > 2 else "random", random_state=seed, n_jobs=1).fit_transform(
        points
    )


def _scikit(module: str):
    import importlib

    try:
        return importlib.import_module(f"sklearn.{module}")
    except ImportError as error:
        raise ImportError(
            "a concept map needs scikit-learn, which is not installed; run: pip install 'vision-zoo-keras[concepts]'"
        ) from error
