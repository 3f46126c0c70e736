"""Xception: space and channels apart.

Idea: an Inception module looks for patterns across channels with 1x1 convolutions and then for patterns in space, in a few groups
of channels. Take that to its end: every channel is a group of its own. What is left is one 3x3 filter per channel and one 1x1
convolution over all, a depthwise separable convolution, and a network that is nothing but a stack of these with shortcuts.

Chollet 2017, "Xception: deep learning with depthwise separable convolutions", arXiv:1610.02357, figure 5: fourteen modules, here
`block1` to `block14`: the entry flow (1 to 4), the middle flow (5 to 12) and the exit flow (13 and 14).

Two rows with one set of weights: `xception` equals keras.applications, whose poolings pad as TensorFlow's "same" does, at the end
only where the map is even; `xception_timm` equals timm's legacy_xception, which pads both sides and adds 1e-5 to a variance, not 1e-3.
The two differ where a map is even, at 299x299 in the pooling from 74x74 to 37x37.

Deviations: keras.applications leaves out the paper's dropout before the logits (section 4.3), which is here; neither changes an answer.
The optional fully connected layers of figure 5 are absent, as in every published network. Weights start from Glorot uniform, as
in the author's code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from keras import layers

from zoo.backbones.variant import Top, Variant
from zoo.layers import SeparableConv2D


@dataclass(frozen=True, kw_only=True)
class Xception(Variant):
    """stem: maps of the two plain convolutions; entry: of blocks 2 to 4; middle: number of blocks of three; exit: of blocks 13 and 14.

    symmetric: poolings pad both sides and the normalisation is torch's (epsilon 1e-5, momentum 0.9): timm's network.
    """

    stem: tuple[int, int] = (32, 64)
    entry: tuple[int, int, int] = (128, 256, 728)
    middle: int = 8
    exit: tuple[int, int, int] = (1024, 1536, 2048)
    symmetric: bool = False


_XCEPTION = Xception(
    parameters=22_855_952,
    source="keras.applications; arXiv:1610.02357, table 3",
    input_shape=(299, 299, 3),
    mean=(127.5, 127.5, 127.5),
    std=(127.5, 127.5, 127.5),
    top=Top(dropout=0.5),
)
_MICRO = replace(
    _XCEPTION,
    parameters=11_542,
    source="closed formula",
    classes=10,
    input_shape=(64, 64, 3),
    stem=(4, 8),
    entry=(12, 16, 20),
    middle=2,
    exit=(24, 28, 32),
)

VARIANTS = {
    "xception": _XCEPTION,
    "xception_timm": replace(_XCEPTION, source="timm legacy_xception", symmetric=True),
    "xception_micro": _MICRO,
    "xception_timm_micro": replace(_MICRO, symmetric=True),
}


def features(image, config: Xception, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": block 1 at stride 2, "c2": block 2, "c3": 3, "c4": block 12, "c5": block 14, stride 32}.

    Levels 2 to 4 are sums, not yet rectified: the next block rectifies its own copy and passes the sum on.
    """
    x = layers.Conv2D(config.stem[0], 3, strides=2, use_bias=False, name="block1_conv1")(image)
    x = layers.ReLU(name="block1_relu1")(norm(x, config, "block1_norm1"))
    x = layers.Conv2D(config.stem[1], 3, use_bias=False, name="block1_conv2")(x)
    x = layers.ReLU(name="block1_relu2")(norm(x, config, "block1_norm2"))
    pyramid = {"c1": x}
    for block, width in enumerate(config.entry, start=2):
        x = halving(x, config, (width, width), f"block{block}", rectified=block == 2)
        pyramid[f"c{block}"] = x
    for block in range(5, 5 + config.middle):
        rest = separable(x, config, (config.entry[-1],) * 3, f"block{block}")
        x = layers.Add(name=f"block{block}_add")([rest, x])
    pyramid["c4"] = x
    last = 5 + config.middle
    x = halving(x, config, (config.entry[-1], config.exit[0]), f"block{last}")
    for index, width in enumerate(config.exit[1:], start=1):
        x = SeparableConv2D(width, 3, padding="same", use_bias=False, name=f"block{last + 1}_conv{index}")(x)
        x = layers.ReLU(name=f"block{last + 1}_relu{index}")(norm(x, config, f"block{last + 1}_norm{index}"))
    return {**pyramid, "c5": x}


def halving(x, config: Xception, widths: tuple[int, int], name: str, rectified: bool = False):
    """Two separable convolutions and a pooling, plus a 1x1 convolution with stride 2 of the block's input."""
    shortcut = layers.Conv2D(widths[-1], 1, strides=2, use_bias=False, name=f"{name}_shortcut_conv")(x)
    shortcut = norm(shortcut, config, f"{name}_shortcut_norm")
    rest = pool(separable(x, config, widths, name, rectified), config, f"{name}_pool")
    return layers.Add(name=f"{name}_add")([rest, shortcut])


def separable(x, config: Xception, widths: tuple[int, ...], name: str, rectified: bool = False):
    """ReLU, separable convolution and normalisation, once per width; no ReLU between the depthwise and the 1x1 part (section 4.7)."""
    for index, width in enumerate(widths, start=1):
        if index > 1 or not rectified:
            x = layers.ReLU(name=f"{name}_relu{index}")(x)
        x = SeparableConv2D(width, 3, padding="same", use_bias=False, name=f"{name}_conv{index}")(x)
        x = norm(x, config, f"{name}_norm{index}")
    return x


def pool(x, config: Xception, name: str):
    """The largest of 3x3 every 2. The map has negative values, so a border must count as minus infinity: with windows around the
    pixels 0, 2, 4, ... that is the pooling of stride 1 with every second value kept."""
    if not config.symmetric:
        return layers.MaxPooling2D(3, strides=2, padding="same", name=name)(x)
    x = layers.MaxPooling2D(3, strides=1, padding="same", name=name)(x)
    return layers.MaxPooling2D(1, strides=2, name=f"{name}_every_second")(x)


def norm(x, config: Xception, name: str):
    momentum, epsilon = (0.9, 1e-5) if config.symmetric else (0.99, 1e-3)
    return layers.BatchNormalization(momentum=momentum, epsilon=epsilon, name=name)(x)
