"""RandAugment: a few random operations of one strength on every picture (Cubuk, Zoph, Shlens & Le 2019, arXiv:1909.13719).

The fourteen operations of the paper's section 3, each with its strength scaled as there. As in `augment`, everything is a pure
function of (images, draws), and whole batches are worked on: Keras' `RandAugment` layer draws from a state of its own, which no
key can repeat, and takes far longer per picture.

Deviation: the operations of one picture run in the order tone, colour, sharpness, geometry instead of the order of their drawing, so
that geometry is one resampling. Border pixels are reflected instead of painted grey.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from zoo.data.augment import affine, colour_matrix, recolour, stretch, warp

OPERATIONS = (
    "identity",
    "autocontrast",
    "equalize",
    "posterize",
    "solarize",
    "contrast",
    "brightness",
    "saturation",
    "sharpness",
    "rotate",
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
)
TURN, SHEAR, SHIFT, FACTOR = 30.0, 0.3, 0.45, 0.9
"""Full strength: degrees, pixels per pixel, fraction of the side (100 of 224 pixels), and relative change of tone and colour."""


@dataclass(frozen=True)
class RandomAugment:
    """strength: in [0, 1], a tenth of the paper's magnitude. layers: operations per picture, >= 1. Same face as `Augment`."""

    strength: float
    layers: int = 2

    def __post_init__(self):
        if not 0 <= self.strength <= 1:
            raise ValueError(f"RandomAugment(strength=...) must lie in [0, 1], got {self.strength!r}")
        if self.layers < 1:
            raise ValueError(f"RandomAugment(layers=...) must be at least 1, got {self.layers!r}")

    def draws(self, key):
        """Key (two integers) -> uniform float32 (2 * layers,) in [0, 1): which operation and which way, for each layer."""
        return tf.random.stateless_uniform([2 * self.layers], seed=tf.convert_to_tensor(key, tf.int64))

    def apply(self, images, draws):
        """Images (b, h, w, 3) in [0, 255] and their draws -> float32 (b, h, w, 3) in [0, 255]."""
        images = tf.cast(images, tf.float32)
        chosen = [tf.cast(draws[:, 2 * layer] * len(OPERATIONS), tf.int32) for layer in range(self.layers)]
        way = [tf.where(draws[:, 2 * layer + 1] < 0.5, -self.strength, self.strength) for layer in range(self.layers)]
        for which, signed in zip(chosen, way, strict=True):
            images = tones(images, which, signed)
        return moved(images, chosen, way)


def tones(images, which, signed):
    """The operation `which` (b,) of every image that is not geometry; `signed` (b,) is the strength with its direction."""
    images = look_up(images, which, tf.abs(signed))

    def factor(name: str):
        return 1 + FACTOR * tf.where(_is(which, name), signed, 0.0)

    images = stretch(images, factor("contrast"))
    images = recolour(images, colour_matrix(saturation=factor("saturation"), brightness=factor("brightness")))
    return sharpen(images, factor("sharpness"))


def moved(images, chosen, way):
    """All layers' geometry as one map and one resampling."""
    height, width = (tf.cast(side, tf.float32) for side in tf.unstack(tf.shape(images)[1:3]))
    x, y = (width - 1) / 2, (height - 1) / 2
    whole = None
    for which, signed in zip(chosen, way, strict=True):
        part = {name: tf.where(_is(which, name), signed, 0.0) for name in OPERATIONS[-5:]}
        turn = affine(
            (height, width),
            degrees=TURN * part["rotate"],
            shift_x=SHIFT * width * part["translate_x"],
            shift_y=SHIFT * height * part["translate_y"],
        )
        across, down = SHEAR * part["shear_x"], SHEAR * part["shear_y"]
        zero, one = tf.zeros_like(across), tf.ones_like(across)
        shear = tf.stack([one, across, -across * y, down, one, -down * x, zero, zero], axis=-1)
        matrix = tf.matmul(_matrix(turn), _matrix(shear))
        whole = matrix if whole is None else tf.matmul(matrix, whole)
    return warp(images, tf.reshape(whole, [-1, 9])[:, :8])


def look_up(images, which, strength):
    """Autocontrast, equalize, posterize and solarize: each level of each channel becomes another one, as in PIL's ImageOps."""
    levels = tf.cast(tf.clip_by_value(tf.round(images), 0.0, 255.0), tf.int32)
    table = tf.broadcast_to(tf.range(256)[None, None], [tf.shape(images)[0], 3, 256])
    counts = histogram(levels)
    bits = tf.cast(tf.round(8 - 4 * strength), tf.int32)[:, None, None]
    limit = tf.cast(tf.round(256 * (1 - strength)), tf.int32)[:, None, None]
    step = tf.bitwise.left_shift(tf.ones_like(bits), 8 - bits)
    tables = {
        "autocontrast": autocontrast(counts),
        "equalize": equalize(counts),
        "posterize": table // step * step,
        "solarize": tf.where(table < limit, table, 255 - table),
    }
    touched = tf.zeros_like(which, tf.bool)
    for name, other in tables.items():
        mine = _is(which, name)
        table, touched = tf.where(mine[:, None, None], other, table), touched | mine
    channels = tf.transpose(levels, [0, 3, 1, 2])
    seen = tf.gather(table, tf.reshape(channels, [tf.shape(images)[0], 3, -1]), batch_dims=2)
    changed = tf.transpose(tf.reshape(seen, tf.shape(channels)), [0, 2, 3, 1])
    return tf.where(touched[:, None, None, None], tf.cast(changed, tf.float32), images)


def histogram(levels):
    """Levels (b, h, w, 3) in 0 ... 255 -> how many pixels have each: int32 (b, 3, 256)."""
    batch = tf.shape(levels)[0]
    place = (tf.range(batch)[:, None, None, None] * 3 + tf.range(3)) * 256
    return tf.reshape(tf.math.bincount(tf.reshape(levels + place, [-1]), minlength=batch * 768), [batch, 3, 256])


def autocontrast(counts):
    """Table (b, 3, 256) that stretches the levels in use over 0 ... 255."""
    used = counts > 0
    low = tf.argmax(tf.cast(used, tf.int32), axis=-1)[..., None]
    high = 255 - tf.argmax(tf.cast(used[..., ::-1], tf.int32), axis=-1)[..., None]
    levels = tf.range(256, dtype=tf.int64)
    span = tf.maximum(high - low, 1)
    table = tf.clip_by_value((levels - low) * 255 // span, 0, 255)
    return tf.cast(tf.where(high > low, table, levels), tf.int32)


def equalize(counts):
    """Table (b, 3, 256) that makes the levels equally frequent; PIL's, which leaves the brightest level in use out of the step."""
    last = 255 - tf.argmax(tf.cast(counts[..., ::-1] > 0, tf.int32), axis=-1, output_type=tf.int32)
    brightest = tf.gather(counts, last, batch_dims=2)
    step = ((tf.reduce_sum(counts, -1) - brightest) // 255)[..., None]
    before = tf.cumsum(counts, axis=-1, exclusive=True)
    table = tf.minimum((step // 2 + before) // tf.maximum(step, 1), 255)
    return tf.where(step > 0, table, tf.broadcast_to(tf.range(256), tf.shape(table)))


def sharpen(images, factor):
    """Away from a smoothed picture by `factor` (b,): 0 is smoothed, 1 unchanged, 2 sharper. The border stays, as in PIL."""
    kernel = np.full((3, 3), 1 / 13, np.float32)
    kernel[1, 1] = 5 / 13
    smooth = tf.nn.depthwise_conv2d(images, tf.constant(np.repeat(kernel[:, :, None, None], 3, axis=2)), [1, 1, 1, 1], "VALID")
    inner = images[:, 1:-1, 1:-1]
    sharp = smooth + tf.reshape(tf.cast(factor, tf.float32), [-1, 1, 1, 1]) * (inner - smooth)
    change = tf.pad(tf.clip_by_value(sharp, 0.0, 255.0) - inner, [[0, 0], [1, 1], [1, 1], [0, 0]])
    return images + change


def _matrix(maps):
    return tf.reshape(tf.concat([maps, tf.ones_like(maps[:, :1])], axis=-1), [-1, 3, 3])


def _is(which, name: str):
    return tf.equal(which, OPERATIONS.index(name))
