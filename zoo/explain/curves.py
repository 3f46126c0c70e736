"""Does the model need the places that a map marks? Take them away (deletion), or bring them alone (insertion), and watch the score.

Petsiuk et al. 2018 (RISE, arXiv:1806.07421, section 4.2). A good map makes the deletion curve fall early, so its area is small, and
the insertion curve rise early. Images with holes are unlike anything the model was trained on, so a number means nothing by itself:
compare it with the same number of a random map and of `sobel_map`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo.explain.fill import filling
from zoo.explain.fixed import probability
from zoo.explain.images import picture
from zoo.explain.measure import finite_maps
from zoo.explain.session import Probe, probe


@dataclass(frozen=True)
class Curve:
    """fractions: (n,) of the pixels that are changed, from 0 to 1; scores: float32 (b, n)."""

    fractions: np.ndarray
    scores: np.ndarray

    @property
    def area(self) -> np.ndarray:
        """RISE's area under the curve: float64 (b,), the trapezoidal mean; for probabilities it lies in [0, 1]."""
        scores = self.scores.astype(np.float64)
        return (scores.sum(axis=1) - (scores[:, 0] + scores[:, -1]) / 2) / (scores.shape[1] - 1)


def deletion(model, images, heat, target=None, *, steps: int = 28, fill="grey", seed: int = 0, batch_size: int = 32) -> Curve:
    """The score while the hottest pixels are replaced, hottest first. A small area is good.

    heat:   (b, h, w), of the images' size; higher is taken away earlier, equal values in a random order that `seed` decides.
    target: as in `gradcam`; for a class it is the probability that is followed, for another target its score.
    steps:  how many equal parts the pixels are taken in; the curve has one point more.
    fill:   what replaces a pixel: "grey" (127.5), "mean" (the image's mean colour), "blur", or as in `zoo.explain.fill`. RISE deletes to
            the mean colour of the training images, which is close to grey.

    Raises ValueError for heat of another size or an unknown fill.
    """
    return _curve(model, images, heat, target, steps, fill, seed, batch_size, inserting=False)


def insertion(model, images, heat, target=None, *, steps: int = 28, fill="blur", seed: int = 0, batch_size: int = 32) -> Curve:
    """The score while the hottest pixels are brought into a blurred image, hottest first. A large area is good. As `deletion`."""
    return _curve(model, images, heat, target, steps, fill, seed, batch_size, inserting=True)


def _curve(model, images, heat, target, steps, fill, seed, batch_size, inserting) -> Curve:
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ValueError(f"steps must be a positive int, got {steps!r}")
    with probe(model, images, probability(target), batch_size) as asked:
        return _ask(asked, fitting(heat, asked), steps, fill, seed, inserting)


def _ask(asked: Probe, heat: np.ndarray, steps: int, fill, seed: int, inserting: bool) -> Curve:
    pictures = asked.pictures
    pixels = heat[0].size
    counts = np.round(np.linspace(0, pixels, steps + 1)).astype(int)
    scores = np.empty((len(heat), steps + 1), np.float32)
    for number, (image, values) in enumerate(zip(pictures, heat, strict=True)):
        place = _order(values, seed)  # 0 for the hottest pixel
        filled = filling(image[None], fill)[0]
        before, after = (filled, image) if inserting else (image, filled)
        changed = np.where(place[None, ..., None] < counts[:, None, None, None], after, before)  # (n, h, w, c)
        scores[number] = asked.scores(changed, np.full(len(changed), number))
    return Curve(counts / pixels, scores)


def _order(values: np.ndarray, seed: int) -> np.ndarray:
    """The rank of each pixel, the hottest 0. Ties in a random order: in reading order, a flat map would begin at the top."""
    flat = values.ravel()
    hottest_first = np.lexsort((np.random.default_rng(seed).random(flat.size), -flat))
    rank = np.empty(flat.size, int)
    rank[hottest_first] = np.arange(flat.size)
    return rank.reshape(values.shape)


def fitting(heat, asked: Probe) -> np.ndarray:
    """Maps of the size of the images, float64 (b, h, w). Raises ValueError for others."""
    heat = finite_maps(heat)
    if heat.shape != asked.pictures.shape[:3]:
        raise ValueError(f"heat must have the size of the images, {picture(asked.batch).shape[:3]}, got {heat.shape}; resize it first")
    return heat
