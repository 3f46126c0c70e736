"""Integrated Gradients: how much of the way from a baseline's score to the image's score each pixel brings.

The gradient is integrated along the straight line between the two (Sundararajan et al. 2017, arXiv:1703.01365, section 3). The
attributions then add up to the difference of the scores ("completeness"), which tells how good the numerical integral is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo.explain.copies import copy_gradients, positive
from zoo.explain.fill import filling
from zoo.explain.gradient import NO_DEPENDENCE, check_channels, heat_of
from zoo.explain.progress import Progress
from zoo.explain.session import probe


@dataclass(frozen=True, eq=False)
class Attribution:
    """Evidence whose sum is known, with how far it is off.

    heat:         float32 (b, h, w) or (b, h, w, c), in units of the score.
    completeness: float64 (b,): |sum of the attributions - (score of image - score of baseline)|, as a share of
                  |score of image - score of baseline|; 0 where both are zero. Above about 0.01, use more steps.
    """

    heat: np.ndarray
    completeness: np.ndarray


def integrated_gradients(
    model,
    images,
    target=None,
    *,
    baseline="black",
    steps: int = 50,
    channels: str = "sum",
    batch_size: int = 32,
    progress: Progress | None = None,
) -> Attribution:
    """Integrated Gradients with their completeness error, see `Attribution`.

    baseline: the image that holds no evidence: "black" (0), "grey" (127.5), "white" (255), "mean" (each image's mean colour), "blur"
              (each image blurred by a tenth of its shorter side), or values in [0, 255] that fit (b, h, w, c): a number, a colour
              (c,), an image (h, w, c), one per image (b, h, w, c).
    steps:    points on the line (Gauss-Legendre: not evenly spaced, the first and last are not its ends).
    channels: as in `gradient`; "max" does not add up to the difference of the scores.
    progress: called with (points done, points in all) after every chunk; what it raises ends the work.

    Other arguments and errors are those of `gradcam`; ValueError for an unknown baseline. Pixels equal to the baseline get
    nothing: under the black one, a black object cannot be evidence. Compare baselines before trusting one.
    """
    check_channels(channels)
    positive(steps, "steps")
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    nodes, weights = (nodes + 1) / 2, weights / 2  # from [-1, 1] to [0, 1]
    with probe(model, images, target, batch_size) as asked:
        pictures = asked.pictures
        start = filling(pictures, baseline, "baseline")
        way = pictures - start

        def between(rows, numbers):
            return start[rows] + nodes[numbers, None, None, None] * way[rows]

        mean = np.zeros(pictures.shape)
        for row, number, gradient in copy_gradients(asked, steps, between, progress):
            mean[row] += weights[number] * gradient
        every = np.arange(len(pictures))
        gained = asked.scores(pictures, every).astype("float64") - asked.scores(start, every)
    found = mean * way
    missing = np.abs(found.sum(axis=(1, 2, 3)) - gained)
    error = np.divide(missing, np.abs(gained), out=np.where(missing == 0, 0.0, np.inf), where=gained != 0)
    return Attribution(heat_of(found.astype(pictures.dtype), channels, f"the images equal their baseline, or {NO_DEPENDENCE}"), error)
