"""Random changes of a training image that carry its boxes, masks and keypoints along.

As in `zoo.data.augment`, everything is a pure function: of the pictures and of (seed, epoch, index). All geometry of a picture (flip, crop,
expand, zoom, turn, shear, shift, its place in a mosaic) is one affine map and one resampling; colour is one affine map of RGB per pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from zoo.data import maps
from zoo.data.augment import Augment
from zoo.data.crop import window
from zoo.data.letterbox import Letterbox
from zoo.data.mosaic import copy_paste, mixup, mosaic, with_masks
from zoo.data.objects import Objects
from zoo.data.warp import Picture, Rules, warp

DRAWS = 20
"""Uniform numbers that one view of a picture consumes; each change has its own, so switching one off moves no other."""
_FLIP, _FLOP, _SHIFT_X, _SHIFT_Y, _ZOOM, _TURN, _SHEAR_X, _SHEAR_Y, _CROP, _EXPAND, _FAR, _FAR_X, _FAR_Y, _MOSAIC, _X, _Y = range(16)

_VIEW, _PARTNER, _WINDOW, _PASTE = range(4)
"""What a stream of random numbers is for."""


@dataclass(frozen=True)
class ObjectAugment:
    """How strongly to change a training image; 0, False or 1 (farthest) switches a change off.

    flip:          mirror left and right with probability 1/2.
    flip_vertical: mirror top and bottom with probability 1/2.
    shift:         move by up to this fraction of the side, in [0, 1).
    zoom:          scale by a factor in [1 / (1 + zoom), 1 + zoom].
    rotate, shear: by up to this many degrees either way, in [0, 180] and [0, 45].
    crop:          probability of cutting out a window of `crop_area` to 1 of the area that shows enough of some object (Liu et al. 2016,
                   arXiv:1512.02325, section 2.2), and of stretching it over the frame.
    expand:        probability of showing the picture smaller, in grey, by a factor of up to `farthest` (section 3.6 there).
    mosaic:        probability of putting four pictures around a point. mixup: of blending with another one. copy_paste: of putting some of
                   another picture's objects on this one, which needs masks or outlines. A picture in a mosaic is neither cropped nor
                   expanded.
    brightness, contrast, saturation, hue: as in `zoo.data.augment.Augment`.
    visible:       an object of which less than this share is left loses its label, in (0, 1].
    smallest:      as does one with a side below this many pixels.

    Raises ValueError for a strength outside its range.
    """

    flip: bool = True
    flip_vertical: bool = False
    shift: float = 0.1
    zoom: float = 0.25
    rotate: float = 0.0
    shear: float = 0.0
    crop: float = 0.0
    crop_area: float = 0.3
    expand: float = 0.0
    farthest: float = 2.5
    mosaic: float = 0.0
    mixup: float = 0.0
    copy_paste: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    visible: float = 0.25
    smallest: float = 2.0

    def __post_init__(self):
        one = dict.fromkeys(("crop", "expand", "mosaic", "mixup", "copy_paste"), (0, 1))
        limits = {"shift": (0, 0.999), "zoom": (0, 10), "rotate": (0, 180), "shear": (0, 45), **one, "crop_area": (0.01, 1)}
        limits |= {"farthest": (1, 10), "visible": (1e-6, 1), "smallest": (0, 1e4)}
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"ObjectAugment({name}=...) must lie in [{low}, {high}], got {value!r}")
        Augment(brightness=self.brightness, contrast=self.contrast, saturation=self.saturation, hue=self.hue)

    @cached_property
    def colour(self) -> Augment | None:
        """The change of colour, which moves no pixel; None for none."""
        strengths = {name: getattr(self, name) for name in ("brightness", "contrast", "saturation", "hue")}
        return Augment(flip=False, shift=0, zoom=0, **strengths) if any(strengths.values()) else None

    @property
    def combines(self) -> bool:
        """Whether a picture may meet others."""
        return bool(self.mosaic or self.mixup or self.copy_paste)

    def __call__(
        self,
        fetch: Callable[[int], Picture],
        key: tuple[int, int, int],
        size: tuple[int, int],
        count: int = 1,
        *,
        masks: bool = False,
        flip_pairs: tuple[tuple[int, int], ...] = (),
        combine: bool = True,
    ) -> tuple[np.ndarray, Objects]:
        """One training picture: (uint8 image (*size, 3), Objects in its pixels). Colours stay; see `colour`.

        fetch:   number of a picture -> Picture; called for `key[2]` and for its partners among `count` pictures.
        key:     (seed, epoch, index), from which everything follows.
        size:    (height, width) of the result.
        masks:   whether masks are wanted. combine: False leaves out mosaic, mixup and copy-paste.
        """
        rules = Rules(self.visible, self.smallest, masks or self.copy_paste > 0, flip_pairs)
        result = self._view(fetch, key, size, count, rules, 0, combine)
        if not combine or not self.combines:
            return result
        draws = stream(key, _PASTE).random(5)
        if self.copy_paste > draws[0]:
            above = self._view(fetch, (*key[:2], int(draws[1] * count)), size, count, rules, 1 + key[2], False)
            chosen = np.flatnonzero(stream(key, _PASTE, 1).random(len(above[1])) < 0.5)
            result = copy_paste(result, above, chosen, rules)
        if self.mixup > draws[2]:
            other = self._view(fetch, (*key[:2], int(draws[3] * count)), size, count, rules, 1 + count + key[2], combine)
            if result[1].masks is not None:  # painted by copy_paste, which took the outlines away
                other = other[0], with_masks(other[1], size)
            result = mixup(result, other, 0.35 + 0.3 * draws[4])
        return result

    def _view(self, fetch, key, size, count: int, rules: Rules, copy: int, combine: bool) -> tuple[np.ndarray, Objects]:
        """A picture or a mosaic, moved. `copy` tells the views of one picture in one epoch apart."""
        draws = stream(key, _VIEW, copy).random(DRAWS)
        if combine and self.mosaic > draws[_MOSAIC]:
            numbers = [key[2], *(int(draw * count) for draw in stream(key, _PARTNER, copy).random(3))]
            centre = ((0.5 + draws[_X]) * size[1], (0.5 + draws[_Y]) * size[0])
            middle = maps.shift(-size[1] / 2, -size[0] / 2)
            return mosaic([fetch(number) for number in numbers], centre, self._move(draws, size) @ middle, size, rules)
        picture = fetch(key[2])
        return warp(picture, self._move(draws, size) @ self._frame(picture, draws, key, copy, size), size, rules)

    def _frame(self, picture: Picture, draws, key, copy: int, size) -> np.ndarray:
        """The map that puts the picture, a window of it, or a smaller one into the frame."""
        if self.crop > draws[_CROP]:
            box = window(picture, self.crop_area, size, stream(key, _WINDOW, copy))
            if box is not None:
                return maps.window(box, size)
        frame = Letterbox(picture.shape, size).matrix
        if self.expand > draws[_EXPAND]:
            factor = 1 / (1 + (self.farthest - 1) * draws[_FAR])
            free = (1 - factor) * size[1] * draws[_FAR_X], (1 - factor) * size[0] * draws[_FAR_Y]
            frame = maps.shift(*free) @ maps.scale(factor) @ frame
        return frame

    def _move(self, draws, size) -> np.ndarray:
        """Flip, zoom, shear and turn about the middle of the frame, then shift."""
        signed = 2 * draws - 1
        mirror_x = -1 if self.flip and draws[_FLIP] < 0.5 else 1
        mirror_y = -1 if self.flip_vertical and draws[_FLOP] < 0.5 else 1
        zoom = (1 + self.zoom) ** signed[_ZOOM]
        linear = maps.scale(zoom * mirror_x, zoom * mirror_y)
        if self.rotate or self.shear:
            slant = maps.shear(self.shear * signed[_SHEAR_X], self.shear * signed[_SHEAR_Y])
            linear = maps.turn(self.rotate * signed[_TURN]) @ slant @ linear
        moved = maps.shift(self.shift * signed[_SHIFT_X] * size[1], self.shift * signed[_SHIFT_Y] * size[0])
        return moved @ maps.about(linear, size[1] / 2, size[0] / 2)


def stream(key, *purpose: int) -> np.random.Generator:
    """The random numbers of (seed, epoch, index) for one purpose."""
    return np.random.default_rng([abs(int(part)) * 2 + (part < 0) for part in (*key, *purpose)])
