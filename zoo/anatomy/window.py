"""Which pixels of the image a value of a map depends on, layer by layer: the receptive field.

Unit i of a map sees, on each axis, the pixels first + i step to last + i step (Araujo, Norris & Sim 2019, "Computing receptive fields
of convolutional neural networks", section 2). A window of k places at dilation d and stride s, with p zeros before the map, makes

    first - p step,   last + ((k - 1) d - p) step,   step s,

and where branches meet, the smallest first and the largest last count. Pixels that would lie outside the image are not cut off.
Layers that mix all places at once (global pooling, attention, the gate of squeeze-and-excitation) let every unit see the whole image:
that is kept apart from the window, which then says what the local path sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from keras import layers

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
    *(layers.GlobalAveragePooling1D, layers.GlobalMaxPooling1D, AdaptiveAveragePooling),
)
_MIX = (Attention, GlobalResponseNormalisation, layers.MultiHeadAttention)
_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
_POOLINGS = (layers.MaxPooling2D, layers.AveragePooling2D)


@dataclass(frozen=True)
class Axis:
    """Pixels that unit i sees on one axis: first + i step to last + i step."""

    first: float = 0
    last: float = 0
    step: float = 1

    @property
    def side(self) -> float:
        return self.last - self.first + 1

    @property
    def centre(self) -> float:
        """Pixel in the middle of what unit 0 sees; the image's first pixel is 0."""
        return (self.first + self.last) / 2

    def slide(self, window: int, stride: int, dilation: int, before: int) -> Axis:
        reach = (window - 1) * dilation - before
        return Axis(self.first - before * self.step, self.last + reach * self.step, self.step * stride)

    def shift(self, places: int) -> Axis:
        return replace(self, first=self.first + places * self.step, last=self.last + places * self.step)


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
    if isinstance(operation, _COLLAPSE) or len(shape) < 3:
        return EVERYTHING
    if isinstance(operation, _MIX):
        return replace(view, whole=True)
    if view.axes is None:
        return view
    if slid := _window(operation):
        moved = [
            axis.slide(window, stride, dilation, _zeros(size, window, stride, dilation) if same else 0)
            for axis, size, window, stride, dilation in zip(view.axes, shapes[0][1:3], *slid[:3], strict=True)
            for same in (slid[3],)
        ]
        return replace(view, rows=moved[0], columns=moved[1])
    if (before := _edges(operation, shapes[0])) is not None:
        return replace(view, rows=view.axes[0].shift(before[0]), columns=view.axes[1].shift(before[1]))
    largest = max((given[1:3] for given in shapes if len(given) == 4), default=shape[1:3])
    if len(shape) == 4 and shape[1:3] != largest:
        raise ValueError(
            f"what the units of {type(operation).__name__} {operation.name!r} see is not known; teach it to zoo.anatomy.window"
        )
    return view


def meet(views: Sequence[View], name: str = "") -> View:
    """Where branches meet: the union of the local paths; all when one of them sees all."""
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
        joined.append(Axis(min(axis.first for axis in axes), max(axis.last for axis in axes), axes[0].step))
    return View(joined[0], joined[1], whole)


def _window(operation):
    """(sides of the window, strides, dilations, whether "same" zeros surround the map), or None without a window."""
    if isinstance(operation, _CONVOLUTIONS):
        return operation.kernel_size, operation.strides, operation.dilation_rate, operation.padding == "same"
    if isinstance(operation, _POOLINGS):
        return operation.pool_size, operation.strides, (1, 1), operation.padding == "same"
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
