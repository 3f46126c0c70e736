"""The target of a captioner: why this word at this place of the sentence?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from keras import ops

from zoo.explain.targets import Target, class_numbers, per_image, picked, predicted


@dataclass(frozen=True)
class WordScore(Target):
    """The logit of a word at a position of a caption, in an output (b, positions, vocabulary).

    position: which step of the caption, from 0; an int or one per image.
    word:     the word's number in the vocabulary, one per image, or None for the one that the model predicts there.
    output:   as in `ClassScore`.

    For a model of (image, words so far) the words are another input: pass both as `images`, only the image is explained.
    Raises TypeError for what is no int, ValueError for a position or word out of range.
    """

    position: int | Sequence[int]
    word: int | Sequence[int] | None = None
    output: str | int | None = None

    def __post_init__(self):
        if self.position is None:
            raise TypeError("WordScore needs the position of the word in the caption, an int from 0 or one per image")
        object.__setattr__(self, "position", class_numbers(self.position, "position"))
        object.__setattr__(self, "word", class_numbers(self.word, "word"))

    def data(self, images: int, shape: tuple) -> tuple[np.ndarray, np.ndarray]:
        if len(shape) != 2:
            raise ValueError(f"a word needs an output (b, positions, vocabulary), got shape (b, {', '.join(map(str, shape))})")
        position = per_image(self.position, images, shape[0], "position", "the captions have {} positions")
        return position, per_image(self.word, images, shape[1], "word", "the vocabulary has {} words")

    def settled(self, output, data):
        return data[0], predicted(_at(output, data[0]), data[1])

    def score(self, output, data):
        words = _at(output, data[0])
        return picked(words, predicted(words, data[1]))


def _at(output, position):
    """output (b, positions, n), position (b,) -> (b, n)."""
    return ops.squeeze(ops.take_along_axis(output, ops.reshape(position, (-1, 1, 1)), axis=1), axis=1)
