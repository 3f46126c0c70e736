"""ResNet v2: normalise and rectify before the convolution, so that nothing stands in the way of the sum.

Idea: in the first ResNet a ReLU follows every addition. Move it, with the normalisation, into the branch: the shortcuts then form one
clean path from the first layer to the last, signals and gradients add up along it unchanged, and a thousand layers train.

He, Zhang, Ren & Sun 2016, "Identity mappings in deep residual networks", arXiv:1603.05027, figure 1b and section 4.

The rows are those of keras.applications, which took them from TensorFlow's model garden, and differ from the paper's own code in one
place: a stage halves the map in the 3x3 of its *last* block, whose shortcut merely leaves out every second pixel; the paper, as timm,
halves it in the first block. Stage 5 does not halve. So c2 to c4 are the sums in front of the halving block, not those behind it.
The stem has no normalisation of its own, and the last block needs one after it. The sums c1 to c4 are not yet rectified; c5 is.
Convolutions in front of a normalisation have no bias, the others have one. Momentum 0.99, epsilon 1.001e-5, as published.
"""

from __future__ import annotations

from dataclasses import dataclass

from keras import layers

from zoo.backbones.variant import Variant
from zoo.layers import ZeroBorder


@dataclass(frozen=True, kw_only=True)
class ResNetV2(Variant):
    """depths: blocks of stages 2 to 5; width: maps of the stem and of the 3x3s of stage 2, doubled from stage to stage."""

    depths: tuple[int, int, int, int]
    width: int = 64
    mean: tuple[float, ...] = (127.5,) * 3
    std: tuple[float, ...] = (127.5,) * 3
    source: str = "keras.applications"


VARIANTS = {
    "resnet50_v2": ResNetV2(parameters=25_568_360, depths=(3, 4, 6, 3)),
    "resnet101_v2": ResNetV2(parameters=44_577_896, depths=(3, 4, 23, 3)),
    "resnet152_v2": ResNetV2(parameters=60_236_904, depths=(3, 8, 36, 3)),
    "resnet_v2_micro": ResNetV2(
        parameters=15_610, source="closed formula", classes=10, input_shape=(32, 32, 3), depths=(2, 2, 2, 2), width=2
    ),
}


def features(image, config: ResNetV2, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stem at stride 2, "c2": stride 4, ..., "c5": stride 32, normalised and rectified}."""
    x = layers.ZeroPadding2D(3, name="stem_pad")(image)
    x = layers.Conv2D(config.width, 7, strides=2, kernel_initializer="he_normal", name="stem_conv")(x)
    pyramid = {"c1": x}
    x = ZeroBorder(name="stem_pool_pad")(x)  # zeros, not -inf, before any ReLU: as published
    x = layers.MaxPooling2D(3, strides=2, name="stem_pool")(x)
    for stage, depth in enumerate(config.depths, start=2):
        for index in range(depth):
            halves = stage < 5 and index == depth - 1
            if halves:
                pyramid[f"c{stage}"] = x
            x = block(x, config.width * 2 ** (stage - 2), 2 if halves else 1, index == 0, f"stage{stage}_block{index}")
    pyramid["c5"] = activate(x, "last_%s")
    return pyramid


def block(x, width: int, stride: int, project: bool, name: str):
    """1x1, 3x3, 1x1 to four times the width, each after its normalisation and ReLU, plus the shortcut."""
    shortcut, x = x, activate(x, f"{name}_%s1")
    if project:  # from the rectified input
        shortcut = layers.Conv2D(4 * width, 1, strides=stride, kernel_initializer="he_normal", name=f"{name}_shortcut_conv")(x)
    elif stride > 1:
        shortcut = layers.MaxPooling2D(1, strides=stride, name=f"{name}_shortcut_pool")(shortcut)
    x = layers.Conv2D(width, 1, use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv1")(x)
    x = activate(x, f"{name}_%s2")
    padding = "same"
    if stride > 1:  # "same" would pad even and odd sizes differently
        x, padding = layers.ZeroPadding2D(1, name=f"{name}_pad2")(x), "valid"
    fields = {"strides": stride, "padding": padding, "use_bias": False, "kernel_initializer": "he_normal"}
    x = layers.Conv2D(width, 3, name=f"{name}_conv2", **fields)(x)
    x = activate(x, f"{name}_%s3")
    x = layers.Conv2D(4 * width, 1, kernel_initializer="he_normal", name=f"{name}_conv3")(x)
    return layers.Add(name=f"{name}_add")([shortcut, x])


def activate(x, name: str):
    """Normalisation and ReLU; `name` has a %s for the kind of layer."""
    x = layers.BatchNormalization(momentum=0.99, epsilon=1.001e-5, name=name % "norm")(x)
    return layers.ReLU(name=name % "relu")(x)
