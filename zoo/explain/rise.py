"""RISE: look at the image through random masks and credit each pixel with the scores of the masks that showed it.

Petsiuk et al. 2018, arXiv:1806.07421, section 3: the model is asked about masked images only, so it may be any black box.
"""

from __future__ import annotations

import warnings

import numpy as np

from zoo.explain.copies import positive, scores_of_copies, seen_through
from zoo.explain.fill import filling
from zoo.explain.images import resize_heat
from zoo.explain.progress import Progress
from zoo.explain.session import probe


def rise(
    model,
    images,
    target=None,
    *,
    masks: int = 4000,
    cells: int = 7,
    keep: float = 0.5,
    centre: bool = True,
    fill="grey",
    seed: int = 0,
    batch_size: int = 32,
    progress: Progress | None = None,
) -> np.ndarray:
    """How much higher the score is than on average when a pixel is seen: float32 (b, h, w), in units of the score.

    model, images, target, batch_size: as in `gradcam`. A predicted class is that of the unmasked image.
    masks:    how many; each costs one forward pass per image, and all images get the same masks.
    cells:    a mask is a grid of cells x cells, enlarged by bilinear interpolation and shifted by up to a cell at random.
    keep:     the probability that a cell is seen, p in the paper.
    centre:   True subtracts the mean score of each image's masked copies; False is equation 6 of the paper to the letter.
    fill:     what is seen where the image is hidden, as in `occlusion`; 0 is the paper's product of picture and mask.
    seed:     of the masks; the same seed gives the same masks on every backend.
    progress: called as progress(copies done, all copies of all images); an exception from it stops the work.

    Equation 6 estimates E[score | pixel seen] as sum(score * mask) / (masks * p). Its noise grows with the score itself: a constant
    offset c of the logits adds no information, but noise of c * sqrt((1 - p) / (p * masks)). Centring removes that part; it lowers
    all pixels of an image alike, so the picture is that of the paper with less noise.

    It misleads with few masks: the noise is smooth, because masks are, and looks like evidence. It halves with four times as many.
    4000 is the paper's number for VGG16 (8000 for ResNet50); 400 are good for a first look only. Compare two seeds. No evidence
    smaller than a cell (a seventh of the image) is resolved, and pixels near the evidence are credited with it.

    Raises ValueError for numbers that are not positive and for `keep` outside (0, 1].
    """
    positive(masks, "masks")
    positive(cells, "cells")
    if not 0 < keep <= 1:
        raise ValueError(f"keep is the probability that a cell is seen, in (0, 1], got {keep!r}")
    with probe(model, images, target, batch_size) as asked:
        pictures = asked.pictures
        hidden = filling(pictures, fill)
        total = len(pictures)
        draw = Masks(masks, cells, keep, seed, pictures.shape[1:3])
        rows = np.tile(np.arange(total), masks)  # copy n shows image n % total through mask n // total

        def masked(numbers):
            of = rows[numbers]
            return seen_through(draw(numbers // total), pictures[of], hidden[of])

        found = [scores for _, scores in scores_of_copies(asked, rows, masked, progress)]
    scores = np.concatenate(found).astype(np.float64).reshape(masks, total).T  # (b, masks)
    if centre:
        scores -= scores.mean(axis=1, keepdims=True)
    credit = np.zeros(pictures.shape[:3])
    for start in range(0, masks, batch_size):
        drawn = draw(np.arange(start, min(start + batch_size, masks)))
        credit += np.tensordot(scores[:, start : start + len(drawn)], drawn, axes=1)
    if not credit.any():
        warnings.warn("the heat is zero everywhere: no mask changes the score", stacklevel=2)
    return (credit / (masks * keep)).astype(np.float32)


class Masks:
    """Random masks, made when asked for: only their grids (count, cells, cells) and shifts are held."""

    def __init__(self, count: int, cells: int, keep: float, seed: int, size: tuple[int, int]):
        random = np.random.default_rng(seed)
        self.size = size
        self.grids = (random.random((count, cells, cells)) < keep).astype(np.float32)
        cell = [-(-side // cells) for side in size]  # pixels; one more cell than fits is made, so that a shift stays inside
        self.shifts = np.stack([random.integers(0, side, count) for side in cell], axis=1)
        self.enlarge = [resize_heat(np.eye(cells, dtype=np.float32)[None], ((cells + 1) * side, cells))[0] for side in cell]

    def __call__(self, numbers: np.ndarray) -> np.ndarray:
        """Masks (m, h, w) in [0, 1], float32. Enlarging is linear along each axis, so it is a matrix before and one behind the grid."""
        rows, columns = (
            matrix[shift[:, None] + np.arange(side)]  # (m, side, cells)
            for matrix, shift, side in zip(self.enlarge, self.shifts[numbers].T, self.size, strict=True)
        )
        return rows @ self.grids[numbers] @ columns.transpose(0, 2, 1)
