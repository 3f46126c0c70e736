"""Changed copies of images: their scores and gradients, a chunk at a time.

The methods that change the image need hundreds or thousands of copies of it. A copy exists only while its chunk is with the model, so
`batch_size` bounds the memory, and between two chunks the caller is told how far it is and may stop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from zoo.explain.images import chunks
from zoo.explain.progress import Progress, report
from zoo.explain.session import Probe


def scores_of_copies(
    asked: Probe, rows: np.ndarray, make: Callable[[np.ndarray], np.ndarray], progress: Progress | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(numbers (m,), scores (m,)) of the copies number 0 to n - 1, at most `batch_size` at a time.

    rows: int (n,), the image to which each copy belongs.
    make: numbers (m,) -> those copies (m, h, w, c); a number may occur twice.
    """
    total = len(rows)
    for part, numbers in chunks(np.arange(total), asked.batch_size):
        scores = asked.scores(make(numbers), rows[numbers])
        wanted = part.stop - part.start
        yield numbers[:wanted], scores[:wanted]
        report(progress, part.stop, total)


def copy_gradients(
    asked: Probe, copies: int, change: Callable[[np.ndarray, np.ndarray], np.ndarray], progress: Progress | None
) -> Iterator[tuple[int, int, np.ndarray]]:
    """For every image and every copy of it, in this order: (number of the image, number of the copy, gradient (h, w, c)).

    change: (images (n,), copies (n,)) -> the changed pictures (n, h, w, c). At most a chunk of them exists at a time.
    """
    pairs = np.stack(np.divmod(np.arange(len(asked.pictures) * copies), copies), axis=-1)
    for part, (rows, numbers) in ((part, chosen.T) for part, chosen in chunks(pairs, asked.batch_size)):
        found = asked.gradients(change(rows, numbers), rows)
        real = part.stop - part.start  # the last chunk is filled up
        yield from zip(rows[:real], numbers[:real], found, strict=False)
        report(progress, part.stop, len(pairs))


def seen_through(masks: np.ndarray, pictures: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """The pictures (n, h, w, c) where the masks (n, h, w) are 1, the hidden (n, h, w, c) where they are 0, a mixture between."""
    masks = masks[..., None].astype(pictures.dtype)
    return masks * pictures + (1 - masks) * hidden  # exact at 0 and 1


def positive(value, name: str, least: int = 1, most: int | None = None) -> int:
    """`value` if it is an int in these bounds; otherwise ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least or (most is not None and value > most):
        limit = "" if most is None else f" and at most {most}"
        raise ValueError(f"{name} must be an int of at least {least}{limit}, got {value!r}")
    return int(value)
