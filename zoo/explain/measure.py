"""Numbers about heat maps whose truth is known. numpy only."""

from __future__ import annotations

import numpy as np


def mass_inside(heat, region) -> np.ndarray:
    """The share of each map's positive heat that lies inside a region: float64 (b,), in [0, 1].

    heat:   (b, h, w) or one (h, w); negative heat counts as none.
    region: a mask (b, h, w) or (h, w), bool or 0/1; or boxes (b, 4), (4,) or (b, n, 4), float xyxy in pixels of the map. A box
            covers a pixel whose centre it contains; several boxes count once where they overlap; a box without area is none.

    A map without positive heat gives NaN: it says neither inside nor outside. Raises ValueError for shapes that do not match.
    """
    heat = finite_maps(heat)
    mask = _mask(np.asarray(region), heat.shape)
    heat = np.maximum(heat, 0)
    total = heat.sum(axis=(1, 2))
    inside = (heat * mask).sum(axis=(1, 2))
    return np.divide(inside, total, out=np.full(len(heat), np.nan), where=total > 0)


def pointing(heat, region, tolerance: float = 0) -> np.ndarray:
    """The pointing game (Zhang et al. 2018, arXiv:1608.00507, section 4.2): 1 where a map's maximum hits the region, else 0.

    heat, region: as in `mass_inside`; the first maximum counts.
    tolerance:    how far from the region it may lie, in pixels between centres; the paper allows 15.

    float64 (b,); a map without positive heat gives NaN, as in `mass_inside`. Chance is the share of pixels that count as hits.
    """
    heat = finite_maps(heat)
    if not np.isfinite(tolerance) or tolerance < 0:
        raise ValueError(f"tolerance is a distance in pixels, 0 or more, got {tolerance!r}")
    answers = np.full(len(heat), np.nan)
    for number, (values, mask) in enumerate(zip(heat, _mask(np.asarray(region), heat.shape), strict=True)):
        if values.max() > 0:
            row, column = np.unravel_index(values.argmax(), values.shape)
            y, x = np.nonzero(mask)
            answers[number] = bool(((y - row) ** 2 + (x - column) ** 2 <= tolerance**2).any())
    return answers


def similarity(one, other) -> np.ndarray:
    """|Spearman's rank correlation| of two maps of each image: float64 (b,) in [0, 1], as Adebayo et al. 2018 compare maps.

    one, other: (b, h, w) or (h, w). 1 is the same order of all places (or the reverse), 0 none in common. Equal values share their
    mean rank. A constant map has no order: NaN.
    """
    one, other = finite_maps(one), finite_maps(other)
    if one.shape != other.shape:
        raise ValueError(f"two sets of maps of equal shape are compared, got {one.shape} and {other.shape}")
    return np.array([_rank_correlation(a.ravel(), b.ravel()) for a, b in zip(one, other, strict=True)])


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = (ranks - ranks.mean() for ranks in (_ranks(a), _ranks(b)))
    spread = np.sqrt((a @ a) * (b @ b))
    return float(abs(a @ b) / spread) if spread > 0 else np.nan


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def finite_maps(heat) -> np.ndarray:
    """Maps (b, h, w), or one (h, w), as float64 (b, h, w). Raises ValueError for another shape, NaN or infinity."""
    heat = np.asarray(heat, dtype=np.float64)
    heat = heat[None] if heat.ndim == 2 else heat
    if heat.ndim != 3 or not np.isfinite(heat).all():
        raise ValueError(f"heat must be finite maps (b, h, w) or (h, w), got shape {heat.shape}")
    return heat


def _mask(region: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    if region.shape[-2:] == shape[1:] and region.ndim in (2, 3) and len(region.reshape(-1, *shape[1:])) in (1, shape[0]):
        return np.broadcast_to(region.astype(bool), shape)
    if region.shape[-1:] == (4,) and (region.ndim == 1 or len(region) == shape[0]) and region.ndim <= 3:
        boxes = np.broadcast_to(
            region.reshape(1, 1, 4) if region.ndim == 1 else region.reshape(shape[0], -1, 4),
            (shape[0], region.size // 4 if region.ndim == 1 else region[0].size // 4, 4),
        )
        left, top, right, bottom = (boxes[..., side, None, None] for side in range(4))  # (b, n, 1, 1)
        y, x = np.arange(shape[1])[:, None] + 0.5, np.arange(shape[2])[None, :] + 0.5
        return np.any((left <= x) & (x < right) & (top <= y) & (y < bottom), axis=1)
    raise ValueError(
        f"a region for heat {shape} is a mask {shape} or boxes ({shape[0]}, 4) or ({shape[0]}, n, 4) in xyxy, got shape {region.shape}"
    )
