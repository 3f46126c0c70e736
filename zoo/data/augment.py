"""Random changes of a training image that should not change its label, and the ones that do.

Everything is a pure function of (images, draws): `Augment.draws(key)` turns a key (two integers) into uniform numbers, and
`Augment.apply` turns a batch of images and their draws into changed images. The pipeline keys each image by
(seed, epoch, index), so a resumed run sees the very pixels that an uninterrupted one would have seen.

All geometry (flip, shift, zoom, rotation, crop) is one affine map and one resampling per image; all colour is one affine map
of RGB per pixel. This keeps the picture sharp and the CPU free for the network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in perceived brightness (ITU-R BT.601, as PIL's "L" mode)."""

_YIQ = np.array([LUMA, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112)])

DRAWS = 16
"""Uniform numbers in [0, 1) that one image consumes; each kind of change has its own, so switching one off moves no other."""
(
    _FLIP,
    _FLOP,
    _SHIFT_X,
    _SHIFT_Y,
    _ZOOM,
    _ROTATE,
    _AREA,
    _ASPECT,
    _CROP_X,
    _CROP_Y,
    _BRIGHT,
    _CONTRAST,
    _SATURATE,
    _HUE,
    _ERASE,
    _WHERE,
) = range(16)


@dataclass(frozen=True)
class Augment:
    """How strongly to change a training image; 0 or False switches a change off.

    flip:          mirror left and right with probability 1/2.
    flip_vertical: mirror top and bottom with probability 1/2; only where gravity does not matter (satellite, microscope).
    shift:         move by up to this fraction of the side, in [0, 1).
    zoom:          scale by a factor in [1 / (1 + zoom), 1 + zoom].
    rotate:        turn by up to this many degrees either way.
    crop:          cut away up to this fraction of the area (aspect 3/4 to 4/3), in [0, 1), and enlarge the rest.
    brightness:    multiply by a factor in [1 - brightness, 1 + brightness].
    contrast:      stretch around the mean grey by a factor in [1 - contrast, 1 + contrast].
    saturation:    stretch around each pixel's grey by a factor in [1 - saturation, 1 + saturation].
    hue:           turn the colour circle by up to this fraction of it either way, in [0, 0.5].
    erase:         probability of painting one rectangle (2 % to 20 % of the area) grey.
    fill:          what lies beyond the border after a move: "reflect" or "constant" (grey).

    Values stay in [0, 255]. Raises ValueError for a strength outside its range.
    """

    flip: bool = True
    flip_vertical: bool = False
    shift: float = 0.1
    zoom: float = 0.1
    rotate: float = 0.0
    crop: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    erase: float = 0.0
    fill: str = "reflect"

    def __post_init__(self):
        limits = {
            "shift": 0.999,
            "zoom": 10,
            "rotate": 180,
            "crop": 0.999,
            "brightness": 1,
            "contrast": 1,
            "saturation": 1,
            "hue": 0.5,
            "erase": 1,
        }
        for name, most in limits.items():
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise ValueError(f"Augment({name}=...) must lie in [0, {most}], got {value!r}; 0 switches it off")
        if self.fill not in ("reflect", "constant"):
            raise ValueError(f"Augment(fill=...) must be 'reflect' or 'constant', got {self.fill!r}")

    def __call__(self, image, key):
        """One image (h, w, 3) in [0, 255] and a key (two integers) -> float32 (h, w, 3) in [0, 255]."""
        return self.apply(tf.convert_to_tensor(image)[None], self.draws(key)[None])[0]

    def draws(self, key):
        """Key (two integers) -> uniform float32 (DRAWS,) in [0, 1)."""
        return tf.random.stateless_uniform([DRAWS], seed=tf.convert_to_tensor(key, tf.int64))

    def apply(self, images, draws):
        """Images (b, h, w, 3) in [0, 255] and their draws (b, DRAWS) -> float32 (b, h, w, 3) in [0, 255]."""
        images = tf.cast(images, tf.float32)
        if self._moves:
            images = warp(images, self._geometry(draws, images), self.fill)
        if self.contrast:
            images = stretch(images, 1 + self.contrast * _signed(draws, _CONTRAST))
        if self.brightness or self.saturation or self.hue:
            images = recolour(images, self._colour(draws))
        if self.erase:
            images = paint_out(images, self._rectangle(draws))
        return images

    @property
    def _moves(self) -> bool:
        return any((self.flip, self.flip_vertical, self.shift, self.zoom, self.rotate, self.crop))

    def _geometry(self, draws, images):
        height, width = (tf.cast(side, tf.float32) for side in tf.unstack(tf.shape(images)[1:3]))
        zoom = tf.pow(1 + self.zoom, _signed(draws, _ZOOM))
        area = 1 - self.crop * draws[:, _AREA]
        side = tf.sqrt(area)
        # Width over height of the cut between 3/4 and 4/3, and never so far that the cut would not fit into the image.
        stretched = tf.clip_by_value(tf.pow(4 / 3, _signed(draws, _ASPECT) / 2), side, 1 / side)
        across, down = side * stretched, side / stretched
        ones = tf.ones_like(zoom)
        mirror_x = tf.where(draws[:, _FLIP] < 0.5, -ones, ones) if self.flip else ones
        mirror_y = tf.where(draws[:, _FLOP] < 0.5, -ones, ones) if self.flip_vertical else ones
        return affine(
            (height, width),
            scale_x=mirror_x * across / zoom,
            scale_y=mirror_y * down / zoom,
            degrees=self.rotate * _signed(draws, _ROTATE),
            shift_x=width * (self.shift * _signed(draws, _SHIFT_X) + (1 - across) / 2 * _signed(draws, _CROP_X)),
            shift_y=height * (self.shift * _signed(draws, _SHIFT_Y) + (1 - down) / 2 * _signed(draws, _CROP_Y)),
        )

    def _colour(self, draws):
        turn = 2 * math.pi * self.hue * _signed(draws, _HUE)
        saturation = 1 + self.saturation * _signed(draws, _SATURATE)
        brightness = 1 + self.brightness * _signed(draws, _BRIGHT)
        return colour_matrix(turn, saturation, brightness)

    def _rectangle(self, draws):
        """Fractions (b, 4): left, top, right, bottom; empty where this image is left alone. One draw is stretched into four."""
        chosen = tf.cast(draws[:, _ERASE] < self.erase, tf.float32)
        digits = tf.stack([tf.math.floormod(draws[:, _WHERE] * factor, 1.0) for factor in (1.0, 13.0, 171.0, 2203.0)], axis=-1)
        area, aspect = 0.02 + 0.18 * digits[:, 0], tf.pow(3.0, digits[:, 1] - 0.5)
        across, down = tf.sqrt(area) * aspect * chosen, tf.sqrt(area) / aspect * chosen
        left, top = digits[:, 2] * (1 - across), digits[:, 3] * (1 - down)
        return tf.stack([left, top, left + across, top + down], axis=-1)


def promises(image) -> dict[str, np.ndarray]:
    """Changes that keep the label of an everyday photograph: name -> uint8 (h, w, 3). `image` is uint8 or float (h, w, 3)."""
    batch = _batch(image)
    size = batch.shape[1:3]
    return {
        "flip": _picture(warp(batch, affine(size, scale_x=-1.0))),
        "shift 10 %": _picture(warp(batch, affine(size, shift_x=0.1 * size[1], shift_y=-0.1 * size[0]))),
        "zoom 1.2": _picture(warp(batch, affine(size, scale_x=1 / 1.2, scale_y=1 / 1.2))),
        "rotate 10°": _picture(warp(batch, affine(size, degrees=10.0))),
        "brighter": _picture(recolour(batch, colour_matrix(brightness=1.25))),
        "less contrast": _picture(stretch(batch, [0.7])),
        "less colour": _picture(recolour(batch, colour_matrix(saturation=0.5))),
        "erase 8 %": _picture(paint_out(batch, [[0.6, 0.1, 0.9, 0.37]])),
    }


def perils(image) -> dict[str, np.ndarray]:
    """Changes that can destroy the label: name -> uint8 (h, w, 3). `image` is uint8 or float (h, w, 3)."""
    batch = _batch(image)
    size = batch.shape[1:3]
    return {
        "upside down": _picture(warp(batch, affine(size, scale_y=-1.0))),
        "rotate 90°": _picture(warp(batch, affine(size, degrees=90.0))),
        "crop to 4 %": _picture(warp(batch, affine(size, scale_x=0.2, scale_y=0.2, shift_x=-0.38 * size[1], shift_y=-0.38 * size[0]))),
        "shift 70 %": _picture(warp(batch, affine(size, shift_x=0.7 * size[1], shift_y=0.0), "constant")),
        "hue +120°": _picture(recolour(batch, colour_matrix(turn=2 * math.pi / 3))),
        "no contrast": _picture(stretch(batch, [0.08])),
        "too bright": _picture(recolour(batch, colour_matrix(brightness=4.0))),
        "erase 64 %": _picture(paint_out(batch, [[0.1, 0.1, 0.9, 0.9]])),
    }


def affine(size, *, scale_x=1.0, scale_y=1.0, degrees=0.0, shift_x=0.0, shift_y=0.0):
    """The map from output pixel to input pixel, for `warp`: scale, turn about the centre, then shift; float32 (b, 8).

    size: (height, width) in pixels. scale: input pixels per output pixel, below 1 enlarges, negative mirrors.
    degrees: counter-clockwise turn of the picture. shift: where the centre is read from, in input pixels.
    """
    numbers = [tf.reshape(tf.cast(value, tf.float32), [-1]) for value in (scale_x, scale_y, degrees, shift_x, shift_y)]
    rows = tf.reduce_max(tf.stack([tf.shape(number)[0] for number in numbers]))
    scale_x, scale_y, degrees, shift_x, shift_y = (tf.broadcast_to(number, [rows]) for number in numbers)
    x, y = (tf.cast(size[1], tf.float32) - 1) / 2, (tf.cast(size[0], tf.float32) - 1) / 2
    cos, sin = tf.cos(degrees * (math.pi / 180)), tf.sin(degrees * (math.pi / 180))
    a, b, c, d = cos * scale_x, -sin * scale_y, sin * scale_x, cos * scale_y
    zero = tf.zeros_like(a)
    return tf.stack([a, b, x + shift_x - a * x - b * y, c, d, y + shift_y - c * x - d * y, zero, zero], axis=-1)


def warp(images, transforms, fill: str = "reflect"):
    """Resample images (b, h, w, 3) once, bilinearly, through the maps (b, 8) of `affine`."""
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=tf.shape(images)[1:3],
        fill_value=127.5,
        interpolation="BILINEAR",
        fill_mode=fill.upper(),
    )


def stretch(images, factor):
    """Contrast: images (b, h, w, 3) around their mean grey by `factor` (b,), clipped to [0, 255]."""
    grey = tf.reduce_mean(tf.tensordot(images, tf.constant(LUMA), 1), axis=[1, 2])[:, None, None, None]
    return tf.clip_by_value(grey + tf.reshape(tf.cast(factor, tf.float32), [-1, 1, 1, 1]) * (images - grey), 0.0, 255.0)


def colour_matrix(turn=0.0, saturation=1.0, brightness=1.0):
    """Hue turn (radians), saturation and brightness factors, scalars or (b,) -> one RGB matrix per image, float32 (b, 3, 3).

    The hue turns in the chrominance plane of YIQ, so that perceived brightness stays; no change is exactly the identity.
    """
    cos, sin, saturation, brightness = (
        tf.reshape(tf.cast(value, tf.float32), [-1, 1, 1]) for value in (tf.cos(turn), tf.sin(turn), saturation, brightness)
    )
    grey = np.tile(np.array(LUMA) / sum(LUMA), (3, 1))
    back = np.linalg.inv(_YIQ)
    cosine = tf.constant(back @ np.diag([0, 1, 1]) @ _YIQ, tf.float32)
    sine = tf.constant(back @ np.array([[0, 0, 0], [0, 0, -1], [0, 1, 0]]) @ _YIQ, tf.float32)
    identity = tf.eye(3)
    hue = identity + (cos - 1) * cosine + sin * sine
    dilute = identity + (saturation - 1) * (identity - tf.constant(grey, tf.float32))
    return brightness * tf.matmul(dilute, hue)


def recolour(images, matrix):
    """Each pixel of images (b, h, w, 3) times its image's matrix (b, 3, 3), clipped to [0, 255]."""
    pixels = tf.reshape(images, [tf.shape(images)[0], -1, 3])
    changed = tf.matmul(pixels, tf.broadcast_to(matrix, [tf.shape(images)[0], 3, 3]), transpose_b=True)
    return tf.clip_by_value(tf.reshape(changed, tf.shape(images)), 0.0, 255.0)


def paint_out(images, rectangles):
    """Paint grey (127.5) over rectangles (b, 4) given as fractions left, top, right, bottom; an empty one paints nothing."""
    rectangles = tf.cast(rectangles, tf.float32)[:, :, None]
    y, x = ((tf.range(tf.cast(side, tf.float32)) + 0.5) / tf.cast(side, tf.float32) for side in tf.unstack(tf.shape(images)[1:3]))
    inside_x = (x >= rectangles[:, 0]) & (x < rectangles[:, 2])
    inside_y = (y >= rectangles[:, 1]) & (y < rectangles[:, 3])
    return tf.where((inside_y[:, :, None] & inside_x[:, None, :])[..., None], 127.5, images)


def _signed(draws, which: int):
    return 2 * draws[:, which] - 1


def _batch(image):
    image = tf.convert_to_tensor(image)
    if image.shape.rank != 3 or image.shape[-1] != 3:
        raise ValueError(f"an image (height, width, 3) was wanted, got shape {tuple(image.shape)}")
    return tf.cast(image, tf.float32)[None]


def _picture(batch) -> np.ndarray:
    return tf.cast(tf.round(batch[0]), tf.uint8).numpy()
