"""TensorFlow Lite files as named tensors: whole numbers become the real ones they stand for.

A quantised file holds every kernel as integers with a scale and a zero point, for the whole tensor or for each output map; the
number meant is (integer - zero point) * scale. Its batch normalisations are folded into kernels and biases. What names its tensors
have depends on the converter, so only the order counts in which the convolutions and fully connected layers run: the tensors are
called "0/kernel", "0/bias", "1/kernel", ... `zoo.weights.names` gives them to our layers in that order and refuses other shapes.

The file is a FlatBuffer (flatbuffers.dev, schema: tensorflow/lite/schema/schema.fbs), a tree of tables that point at each other. It is
read here, each step within the bytes of the file: the interpreter of TensorFlow does not check them, and a damaged file ends its process.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

_WEIGHTED = {3: "CONV_2D", 4: "DEPTHWISE_CONV_2D", 9: "FULLY_CONNECTED"}
"""The operations that hold weights: their second input is the kernel, the third, which may be missing, the bias."""
_TYPES = {0: "<f4", 1: "<f2", 2: "<i4", 3: "u1", 4: "<i8", 9: "i1"}


def tensors(path: Path) -> dict[str, tuple[tuple[int, ...], Callable[[], np.ndarray]]]:
    """{"0/kernel": (shape, how to read it)} in the order of execution, in our layout: (h, w, in, out), (h, w, maps, 1), (in, out).

    Raises ValueError for a file without weighted operations, or damaged so that it points outside itself.
    """
    try:
        return _tensors(_Table.root(path.read_bytes()))
    except (struct.error, IndexError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} cannot be read as a TensorFlow Lite file: {error}. It is damaged or cut short; fetch or save it again"
        ) from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}; the file is refused") from error


def _tensors(model: _Table) -> dict:
    buffers, (graph, *_) = model.tables(4), model.tables(2)
    codes = [max(code.number(0, "b"), code.number(3, "i")) for code in model.tables(1)]  # old files have only the first of the two
    all_tensors, found, number = graph.tables(0), {}, 0
    for operation in graph.tables(3):
        if codes[operation.number(0, "I")] not in _WEIGHTED:
            continue
        inputs = operation.vector(1, "<i4").tolist()
        kernel, bias = (all_tensors[index] if index >= 0 else None for index in (*inputs, -1, -1)[1:3])
        if kernel is None:
            raise ValueError(f"operation {number} has no kernel")
        value = _real(kernel, buffers)
        found[f"{number}/kernel"] = (_turned(value).shape, functools.partial(_turned, value))
        if bias is not None:
            found[f"{number}/bias"] = ((value := _real(bias, buffers)).shape, functools.partial(np.copy, value))
        number += 1
    if not found:
        raise ValueError("it holds no convolution and no fully connected layer")
    return found


def _turned(value: np.ndarray) -> np.ndarray:
    """OHWI -> HWIO, which makes (h, w, maps, 1) of a depthwise (1, h, w, maps); (out, in) -> (in, out)."""
    return value.transpose(1, 2, 3, 0) if value.ndim == 4 else value.T


def _real(tensor: _Table, buffers: list[_Table]) -> np.ndarray:
    """The numbers that are meant, as float32."""
    shape = tensor.vector(0, "<i4").tolist()
    raw = buffers[tensor.number(2, "I")].vector(0, _TYPES[tensor.number(1, "b")], count_bytes=True)
    if raw.size != np.prod(shape, dtype=object):
        raise ValueError(f"a tensor of shape {shape} holds {raw.size} numbers")
    value = raw.reshape(shape)
    return value.astype("float32") if raw.dtype.kind == "f" else dequantised(value, *_quantisation(tensor))


def _quantisation(tensor: _Table) -> tuple[np.ndarray, np.ndarray, int]:
    quantised = tensor.table(4)
    scales = quantised.vector(2, "<f4") if quantised else np.empty(0, "float32")
    if quantised is None or scales.size == 0:
        raise ValueError("a tensor of integers has no scale")
    return scales, quantised.vector(3, "<i8"), quantised.number(6, "i")


def dequantised(value: np.ndarray, scales: np.ndarray, zeros: np.ndarray, axis: int) -> np.ndarray:
    """(integer - zero point) * scale as float32; several scales go along `axis`. No zero points are zeros."""
    scales, zeros = (np.asarray(each, "float64") for each in (scales, zeros if np.size(zeros) else [0]))
    if scales.size > 1:
        along = [-1 if index == axis else 1 for index in range(value.ndim)]
        scales, zeros = scales.reshape(along), zeros if zeros.size == 1 else zeros.reshape(along)
    return ((value.astype("float64") - zeros) * scales).astype("float32")


class _Table:
    """One table of a FlatBuffer: fields by number, each found through a list of offsets; an absent one is 0, None or empty."""

    def __init__(self, data: bytes, start: int):
        self.data, self.start = data, start
        self.list = start - self._at(start, "i")
        self.size = self._at(self.list, "H")

    @classmethod
    def root(cls, data: bytes) -> _Table:
        return cls(data, struct.unpack_from("<I", data)[0])

    def number(self, field: int, kind: str) -> int:
        place = self._place(field)
        return self._at(place, kind) if place else 0

    def table(self, field: int) -> _Table | None:
        place = self._place(field)
        return _Table(self.data, self._target(place)) if place else None

    def tables(self, field: int) -> list[_Table]:
        place = self._place(field)
        if not place:
            return []
        start = self._target(place)
        count = self._at(start, "I")
        if 4 * count > len(self.data):
            raise IndexError(f"a list of {count} tables in {len(self.data)} bytes")
        return [_Table(self.data, self._target(start + 4 + 4 * index)) for index in range(count)]

    def vector(self, field: int, dtype: str, count_bytes: bool = False) -> np.ndarray:
        """A list of numbers; with `count_bytes` its length is stored in bytes."""
        place = self._place(field)
        if not place:
            return np.empty(0, dtype)
        start = self._target(place)
        count = self._at(start, "I") // (np.dtype(dtype).itemsize if count_bytes else 1)
        if start + 4 + count * np.dtype(dtype).itemsize > len(self.data):
            raise IndexError(f"a list of {count} numbers at byte {start} of {len(self.data)}")
        return np.frombuffer(self.data, dtype, count, start + 4)

    def _place(self, field: int) -> int:
        """Where a field is, or 0."""
        entry = 4 + 2 * field
        offset = self._at(self.list + entry, "H") if entry < self.size else 0
        return self.start + offset if offset else 0

    def _target(self, place: int) -> int:
        return place + self._at(place, "I")

    def _at(self, place: int, kind: str) -> int:
        if place < 0:  # struct would count from the end
            raise IndexError(f"it points {-place} bytes in front of itself")
        return struct.unpack_from(f"<{kind}", self.data, place)[0]
