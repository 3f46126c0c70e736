"""Pictures of all shapes, decoded once, resized to fit a frame, and kept as uint8: in memory, or in a file without a name."""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np

from zoo.cores import cores
from zoo.data.decode import ImageError, resize
from zoo.data.letterbox import Letterbox
from zoo.data.objects import ObjectExamples
from zoo.data.pipeline import _checked, _file_array
from zoo.data.plan import budget
from zoo.data.warp import Picture


class Kept:
    """The pictures of one split, each as large as fits into `size`, never distorted.

    examples: the split.
    size:     (height, width) of the frame in pixels.
    cache:    True decodes everything when the first picture is asked for; False decodes a picture each time it is asked for.
    memory:   budget in bytes of the cache in memory, beyond which it is a temporary file; None for a quarter of what is free now.

    An image that cannot be read raises `zoo.data.decode.ImageError` naming the file.
    """

    def __init__(self, examples: ObjectExamples, size: tuple[int, int], cache: bool = True, memory: int | None = None):
        self.examples, self.size, self.cache = examples, size, cache
        self.memory = budget() if memory is None else memory
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.examples)

    def __call__(self, index: int) -> Picture:
        """Picture `index` with its objects, which stay in pixels of the picture as it was."""
        if self.cache:
            with self._lock:  # of several threads that ask first, one decodes
                pixels, shapes = self._filled
            shape = (int(shapes[index, 0]), int(shapes[index, 1]))
            height, width = Letterbox(shape, self.size).inner
            return Picture(pixels[index, :height, :width], self.examples.objects[index], shape)
        image = self._decoded(index)
        return Picture(self._fitted(image), self.examples.objects[index], image.shape[:2])

    @cached_property
    def _filled(self) -> tuple[np.ndarray, np.ndarray]:
        """(uint8 (n, *size, 3), each picture in the upper left; int64 (n, 2), height and width of each as it was)."""
        shape = (len(self), *self.size, 3)
        items = self.examples.items
        if isinstance(items, np.ndarray) and items.shape == shape and items.dtype == np.uint8:
            return items, np.tile(np.array(self.size), (len(self), 1))
        pixels = np.zeros(shape, np.uint8) if math.prod(shape) <= self.memory else _file_array(shape)
        shapes = np.zeros((len(self), 2), np.int64)

        def put(index: int) -> None:
            image = self._decoded(index)
            fitted = self._fitted(image)
            pixels[index, : fitted.shape[0], : fitted.shape[1]] = fitted
            shapes[index] = image.shape[:2]

        with ThreadPoolExecutor(cores()) as pool:
            try:
                for _ in pool.map(put, range(len(self))):
                    pass
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return pixels, shapes

    def _decoded(self, index: int) -> np.ndarray:
        item = self.examples.items[index]
        if isinstance(item, np.ndarray):
            return _checked(item, index)
        try:
            return self.examples.image(index)
        except ImageError as error:
            raise ImageError(f"{error.reason}; remove the file and its labels", str(item)) from error

    def _fitted(self, image: np.ndarray) -> np.ndarray:
        return resize(image, Letterbox(image.shape[:2], self.size).inner)
