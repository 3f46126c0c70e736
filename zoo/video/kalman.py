"""Where a box will be in the next frame: a Kalman filter with constant speed, for many boxes at once (Kalman 1960; Bewley et al. 2016).

The state of a box is its centre x, centre y, width and height and the speed of each, in pixels and pixels per frame. What happens to one
of the four says nothing about the others, so the 8x8 filter of the papers falls into four filters of a place and a speed each:

    predict   place += speed;  P = F P F' + Q        F = [[1, 1], [0, 1]]
    correct   gain = P[:, 0] / (P[0, 0] + r);  state += gain * (measured - place);  P -= gain P[0, :]

The noise follows the size of the object, as in DeepSORT and ByteTrack (Zhang et al. 2022, arXiv:2110.06864): a near car jumps more pixels
than a far one. The deviations are their 1/20 of the size for a place and 1/160 for a speed; they use the height for both directions, we
the width for x and w.
"""

from __future__ import annotations

import numpy as np

PLACE, SPEED = 1 / 20, 1 / 160
"""Deviations per frame as a share of the object's size."""
SMALLEST = 1e-3
"""Pixels: a predicted side never gets smaller."""


def begin(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (n, 4) xyxy -> state (n, 4, 2) at rest and its covariance (n, 4, 2, 2), uncertain about the speed."""
    measured = centred(boxes)
    size = _size(measured)
    state = np.stack([measured, np.zeros_like(measured)], axis=-1)
    return state, _diagonal((2 * PLACE * size) ** 2, (10 * SPEED * size) ** 2)


def predict(state: np.ndarray, covariance: np.ndarray, shrinking: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """One frame on. Where `shrinking` (n,) is False the width and height stay: an object out of sight shall not vanish or explode."""
    state, p = state.copy(), covariance
    if shrinking is not None:
        state[~shrinking, 2:, 1] = 0
    size = _size(state[..., 0])
    state[..., 0] += state[..., 1]
    state[:, 2:, 0] = np.maximum(state[:, 2:, 0], SMALLEST)
    cross = p[..., 0, 1] + p[..., 1, 1]
    moved = np.stack([p[..., 0, 0] + p[..., 0, 1] + cross, cross, cross, p[..., 1, 1]], axis=-1).reshape(p.shape)
    return state, moved + _diagonal((PLACE * size) ** 2, (SPEED * size) ** 2)


def correct(state: np.ndarray, covariance: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the filter believes after it has seen the boxes (n, 4) xyxy."""
    measured = centred(boxes)
    noise = (PLACE * _size(state[..., 0])) ** 2
    gain = covariance[..., 0] / (covariance[..., :1, 0] + noise[..., None])  # (n, 4, 2)
    state = state + gain * (measured - state[..., 0])[..., None]
    return state, covariance - gain[..., :, None] * covariance[..., :1, :]


def centred(boxes: np.ndarray) -> np.ndarray:
    """xyxy -> centre x, centre y, width, height."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], SMALLEST)
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, sides], axis=1)


def cornered(state: np.ndarray) -> np.ndarray:
    """State (n, 4, 2) -> boxes (n, 4) xyxy."""
    centre, half = state[:, :2, 0], state[:, 2:, 0] / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def _size(places: np.ndarray) -> np.ndarray:
    """The size that the noise follows: the width for x and w, the height for y and h."""
    return np.tile(places[:, 2:], 2)


def _diagonal(place: np.ndarray, speed: np.ndarray) -> np.ndarray:
    zero = np.zeros_like(place)
    return np.stack([place, zero, zero, speed], axis=-1).reshape(*place.shape, 2, 2)
