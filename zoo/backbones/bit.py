"""BiT: a pre-activation ResNet made for transfer, with group normalisation and standardised weights.

Idea: train one large network on much data, then adapt it to any task in a few steps. Batch normalisation is in the way: it needs large
batches on every device, and its statistics belong to the data of before. Group normalisation looks at one image only, and standardised
convolution weights make it train as well.

Kolesnikov, Beyer, Zhai, Puigcerver, Yung, Gelly & Houlsby 2020, "Big Transfer (BiT): general visual representation learning",
arXiv:1912.11370, section 2. The number after x multiplies the width of every layer; R50x1 has 25.5 million parameters, R152x2 236 million.

The rows equal timm's `resnetv2_*_bit`, which read the published weights. Stages halve the map in the 3x3 of their first block, no
convolution has a bias, and c1 to c4 are sums that are not yet rectified; c5 is. R152x4 (937 million) is left out: at 3.7 GB it fits no
ONNX or LiteRT file. Deviation: the paper starts the last layer at zero; here it starts as every dense layer of Keras.
"""

from __future__ import annotations

from dataclasses import dataclass

from keras import layers

from zoo.backbones.variant import Variant
from zoo.layers import StandardisedConv2D, ZeroBorder


@dataclass(frozen=True, kw_only=True)
class BiT(Variant):
    """depths: blocks of stages 2 to 5; width: maps of the stem and of the 3x3s of stage 2, doubled from stage to stage.

    groups: of every normalisation.
    """

    depths: tuple[int, int, int, int]
    width: int = 64
    groups: int = 32
    mean: tuple[float, ...] = (127.5,) * 3
    std: tuple[float, ...] = (127.5,) * 3
    source: str = "timm"


VARIANTS = {
    "bit_r50x1": BiT(parameters=25_549_352, depths=(3, 4, 6, 3)),
    "bit_r50x3": BiT(parameters=217_319_080, depths=(3, 4, 6, 3), width=192),
    "bit_r101x1": BiT(parameters=44_541_480, depths=(3, 4, 23, 3)),
    "bit_r101x3": BiT(parameters=387_934_888, depths=(3, 4, 23, 3), width=192),
    "bit_r152x2": BiT(parameters=236_335_208, depths=(3, 8, 36, 3), width=128),
    "bit_micro": BiT(
        parameters=13_652, source="closed formula", classes=10, input_shape=(32, 32, 3), depths=(1, 1, 1, 2), width=2, groups=2
    ),
}


def features(image, config: BiT, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stem at stride 2, "c2": stride 4, ..., "c5": stride 32, normalised and rectified}."""
    x = layers.ZeroPadding2D(3, name="stem_pad")(image)
    x = convolve(x, config.width, 7, "stem_conv", strides=2, padding="valid")
    pyramid = {"c1": x}
    x = ZeroBorder(name="stem_pool_pad")(x)  # zeros, not -inf, before any ReLU: as published
    x = layers.MaxPooling2D(3, strides=2, name="stem_pool")(x)
    for stage, depth in enumerate(config.depths, start=2):
        for index in range(depth):
            stride = 2 if stage > 2 and index == 0 else 1
            x = block(x, config, config.width * 2 ** (stage - 2), stride, index == 0, f"stage{stage}_block{index}")
        pyramid[f"c{stage}"] = x
    return {**pyramid, "c5": activate(x, config, "last_%s")}


def block(x, config: BiT, width: int, stride: int, project: bool, name: str):
    """1x1, 3x3, 1x1 to four times the width, each after its normalisation and ReLU, plus the shortcut."""
    shortcut, x = x, activate(x, config, f"{name}_%s1")
    if project:  # from the rectified input
        shortcut = convolve(x, 4 * width, 1, f"{name}_shortcut_conv", strides=stride)
    x = convolve(x, width, 1, f"{name}_conv1")
    x = activate(x, config, f"{name}_%s2")
    padding = "same"
    if stride > 1:  # "same" would pad even and odd sizes differently
        x, padding = layers.ZeroPadding2D(1, name=f"{name}_pad2")(x), "valid"
    x = convolve(x, width, 3, f"{name}_conv2", strides=stride, padding=padding)
    x = activate(x, config, f"{name}_%s3")
    x = convolve(x, 4 * width, 1, f"{name}_conv3")
    return layers.Add(name=f"{name}_add")([shortcut, x])


def activate(x, config: BiT, name: str):
    """Normalisation and ReLU; `name` has a %s for the kind of layer."""
    x = layers.GroupNormalization(config.groups, epsilon=1e-5, name=name % "norm")(x)
    return layers.ReLU(name=name % "relu")(x)


def convolve(x, width: int, kernel: int, name: str, **fields):
    return StandardisedConv2D(width, kernel, use_bias=False, kernel_initializer="he_normal", name=name, **fields)(x)
