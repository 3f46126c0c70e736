"""Which pixels of the image a value of a map depends on, from one layer to the next: the receptive field.

Unit i of a map sees, on each axis, the pixels first + i step to last + i step (Araujo, Norris & Sim 2019, "Computing receptive fields
of convolutional neural networks", section 2). A window of k places at dilation d and stride s, with p zeros before the map, makes

    first - p step,   last + ((k - 1) d - p) step,   step s,

and where branches meet, the smallest first and the largest last count. Pixels that would lie outside the image are not cut off.
The centre moves by ((k - 1) d / 2 - p) step. Branches that are padded in different ways look at different centres (the shortcut and
the main path of Xception, up to 24 pixels apart); which of them a trained network listens to is not in its graph, so each counts the same.
Layers that mix all places at once (global pooling, attention, the gate of squeeze-and-excitation) let every unit see the whole image:
that is kept apart from the window, which then says what the local path sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from keras import layers

from zoo.explain.places import children
from zoo.layers import (
    AdaptiveAveragePooling,
    Attention,
    GlobalResponseNormalisation,
    PartialConv2D,
    SamePadding,
    TrainableSubsampling,
    ZeroBorder,
)

_COLLAPSE = (
    *(layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D, layers.Flatten),
    *(layers.GlobalAveragePooling1D, layers.GlobalMaxPooling1D),
)
_MIX = (Attention, GlobalResponseNormalisation, layers.MultiHeadAttention)
_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
_POOLINGS = (layers.MaxPooling2D, layers.AveragePooling2D)


@dataclass(frozen=True)
class Axis:
    """Pixels that unit i sees on one axis: first + i step to last + i step, around centre + i step; the image's first pixel is 0."""

    first: float = 0
    last: float = 0
    step: float = 1
    centre: float = 0

    @property
    def side(self) -> float:
        return self.last - self.first + 1

    def slide(self, window: int, stride: int, dilation: int, before: int) -> Axis:
        reach, start = (window - 1) * dilation, self.shift(-before)
        last, centre = start.last + reach * self.step, start.centre + reach / 2 * self.step
        return Axis(start.first, last, self.step * stride, centre)

    def shift(self, places: int) -> Axis:
        pixels = places * self.step
        return replace(self, first=self.first + pixels, last=self.last + pixels, centre=self.centre + pixels)


@dataclass(frozen=True)
class View:
    """What the units of a map see: rows and columns of the local path, or None where place is lost, and whether they see all besides."""

    rows: Axis | None = None
    columns: Axis | None = None
    whole: bool = False

    @property
    def axes(self) -> tuple[Axis, Axis] | None:
        return None if self.rows is None or self.columns is None else (self.rows, self.columns)


EVERYTHING = View(whole=True)
PIXEL = View(Axis(), Axis())


def see(operation, views: Sequence[View], shapes: Sequence[tuple], shape: tuple) -> View:
    """The view of an operation's output (of `shape`) from those of its inputs (of `shapes`).

    Raises ValueError for a layer that changes the size of a map in a way that is not known here.
    """
    view = meet(views, operation.name)
    if isinstance(operation, _COLLAPSE) or len(shape) < 3 or _gathers(operation, shapes[0], shape):
        return EVERYTHING
    if isinstance(operation, _MIX):
        return replace(view, whole=True)
    if view.axes is None:
        return view
    if _hidden(operation):
        raise _unknown(operation)
    if slid := _window(operation, shapes[0], shape):
        moved = [
            axis.slide(window, stride, dilation, _zeros(size, window, stride, dilation) if same else 0)
            for axis, size, window, stride, dilation in zip(view.axes, shapes[0][1:3], *slid[:3], strict=True)
            for same in (slid[3],)
        ]
        return replace(view, rows=moved[0], columns=moved[1])
    if (before := _edges(operation, shapes[0])) is not None:
        return replace(view, rows=view.axes[0].shift(before[0]), columns=view.axes[1].shift(before[1]))
    largest = max((given[1:3] for given in shapes if len(given) == 4), default=None)  # None: a grid made of tokens, in what order?
    if len(shape) == 4 and shape[1:3] != largest:
        raise _unknown(operation)
    return view


def meet(views: Sequence[View], name: str = "") -> View:
    """Where branches meet: the union of the local paths, the mean of their centres; all when one of them sees all."""
    local = [view.axes for view in views if view.axes is not None]
    whole = any(view.whole for view in views)
    if not local:
        return View(whole=whole)
    joined = []
    for axes in zip(*local, strict=True):
        if len({axis.step for axis in axes}) > 1:
            raise ValueError(
                f"branches with strides {sorted({axis.step for axis in axes})} meet in {name!r}: their units are at other places"
            )
        first, last = min(axis.first for axis in axes), max(axis.last for axis in axes)
        joined.append(Axis(first, last, axes[0].step, sum(axis.centre for axis in axes) / len(axes)))
    return View(joined[0], joined[1], whole)


def _hidden(operation) -> bool:
    """Whether places may move inside an operation that keeps the size of its map: in layers of its own, or by other axes."""
    moves = isinstance(operation, layers.Conv2DTranspose | layers.Permute) or type(operation).__name__ in ("Transpose", "Roll", "Flip")
    channels_first = getattr(operation, "data_format", None) == "channels_first"
    return moves or channels_first or (any(True for _ in children(operation)) and not hasattr(operation, "transform_images"))


def _unknown(operation) -> ValueError:
    kind = type(operation).__name__
    return ValueError(f"what the units of {kind} {operation.name!r} see is not known; teach it to zoo.explain.window")


def _gathers(operation, given: tuple, shape: tuple) -> bool:
    """Whether an adaptive pooling makes one place of all, or windows of unequal sides; else it is a pooling like others."""
    if not isinstance(operation, AdaptiveAveragePooling):
        return False
    return shape[1:3] == (1, 1) or any(side % places for side, places in zip(given[1:3], shape[1:3], strict=True))


def _window(operation, given: tuple, shape: tuple):
    """(sides of the window, strides, dilations, whether "same" zeros surround the map), or None without a window."""
    if isinstance(operation, _CONVOLUTIONS):
        return operation.kernel_size, operation.strides, operation.dilation_rate, operation.padding == "same"
    if isinstance(operation, _POOLINGS):
        return operation.pool_size, operation.strides, (1, 1), operation.padding == "same"
    if isinstance(operation, AdaptiveAveragePooling):
        sides = tuple(side // places for side, places in zip(given[1:3], shape[1:3], strict=True))
        return sides, sides, (1, 1), False
    if isinstance(operation, TrainableSubsampling):
        return (2, 2), (2, 2), (1, 1), False
    if isinstance(operation, PartialConv2D):
        return (operation.kernel_size,) * 2, (1, 1), (1, 1), False
    return None


def _edges(operation, shape: tuple) -> tuple[int, int] | None:
    """How many places the first row and column moved to the inside (negative: zeros before them); None for other layers."""
    if isinstance(operation, layers.ZeroPadding2D):
        return -operation.padding[0][0], -operation.padding[1][0]
    if isinstance(operation, ZeroBorder):
        return -1, -1
    if isinstance(operation, layers.Cropping2D):
        return operation.cropping[0][0], operation.cropping[1][0]
    if isinstance(operation, SamePadding):
        rows, columns = (-_zeros(size, operation.kernel_size, operation.strides, 1) for size in shape[1:3])
        return rows, columns
    return None


def _zeros(size: int, window: int, stride: int, dilation: int) -> int:
    """Zeros that "same" puts before a map of `size`: half of what the last window lacks."""
    return max((-(-size // stride) - 1) * stride + (window - 1) * dilation + 1 - size, 0) // 2
