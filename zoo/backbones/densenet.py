"""DenseNet: keep everything that was ever computed.

Idea: a residual block adds its result to its input and so blurs both. Put it *beside* the input instead: every layer sees the maps of
all layers before it, unchanged, and adds a few of its own (the growth rate). Nothing has to be computed twice, every layer is a
short way from the loss, and very narrow layers are enough.

Huang, Liu, van der Maaten & Weinberger 2017, "Densely connected convolutional networks", arXiv:1608.06993, table 1 (DenseNet-BC:
1x1 convolutions to four times the growth rate first, transitions that halve the number of maps).
Stages 2 to 5 here are its dense blocks 1 to 4; the numbers are those of the strides, as in the other families.

Two rows for one depth, equal but for the normalisation: `densenet121` adds 1.001e-5 to a variance and moves statistics by 0.01 per step,
as keras.applications does; `densenet121_torchvision` 1e-5 and 0.1, as torchvision and timm do. Paddings are explicit and symmetric in
both, since TensorFlow's "same" would shift every map of an even size by a pixel.

Deviations: none in the layers. Dropout (0.2 after every convolution but the first) is used by the paper only on small sets without
augmentation, and is absent here. The name 161 is of the authors' release: growth rate 48.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from keras import layers

from zoo.backbones.variant import Variant


@dataclass(frozen=True, kw_only=True)
class DenseNet(Variant):
    """depths: layers of the four dense blocks; growth: maps that each adds; width: maps of the stem.

    torchvision: epsilon 1e-5 and momentum 0.9 instead of 1.001e-5 and 0.99.
    """

    depths: tuple[int, ...]
    growth: int = 32
    width: int = 64
    torchvision: bool = False


def _row(parameters: int, *depths: int, growth: int = 32, width: int = 64, torchvision: bool = False) -> DenseNet:
    source = "torchvision" if torchvision else "keras.applications"
    return DenseNet(parameters=parameters, source=source, depths=depths, growth=growth, width=width, torchvision=torchvision)


_MICRO = DenseNet(
    parameters=9_250,
    source="closed formula",
    classes=10,
    input_shape=(32, 32, 3),
    depths=(2, 2, 3, 2),
    growth=4,
    width=8,
)

VARIANTS = {
    "densenet121": _row(7_978_856, 6, 12, 24, 16),
    "densenet169": _row(14_149_480, 6, 12, 32, 32),
    "densenet201": _row(20_013_928, 6, 12, 48, 32),
    "densenet121_torchvision": _row(7_978_856, 6, 12, 24, 16, torchvision=True),
    "densenet169_torchvision": _row(14_149_480, 6, 12, 32, 32, torchvision=True),
    "densenet201_torchvision": _row(20_013_928, 6, 12, 48, 32, torchvision=True),
    "densenet161_torchvision": _row(28_681_000, 6, 12, 36, 24, growth=48, width=96, torchvision=True),
    "densenet_micro": _MICRO,
    "densenet_torchvision_micro": replace(_MICRO, torchvision=True),
}


def features(image, config: DenseNet, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stem at stride 2, "c2": first dense block, ..., "c5": fourth, at stride 32}.

    A dense block ends with maps that were never normalised together: the levels are taken after the normalisation and ReLU that
    follow it, in the transition or, for the last, before the head.
    """
    x = layers.ZeroPadding2D(3, name="stem_pad")(image)
    x = convolve(x, config.width, 7, "stem_conv", strides=2)
    x = rectify(x, config, "stem_%s")
    pyramid = {"c1": x}
    x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)  # after a ReLU, zeros around the map are what -inf would be
    x = layers.MaxPooling2D(3, strides=2, name="stem_pool")(x)
    for stage, depth in enumerate(config.depths, start=2):
        for index in range(depth):
            x = dense(x, config, f"stage{stage}_block{index}")
        x = rectify(x, config, f"stage{stage}_%s")
        pyramid[f"c{stage}"] = x
        if stage < 5:
            x = convolve(x, x.shape[-1] // 2, 1, f"stage{stage}_transition_conv")
            x = layers.AveragePooling2D(2, name=f"stage{stage}_transition_pool")(x)
    return pyramid


def dense(x, config: DenseNet, name: str):
    """Normalisation, ReLU, 1x1, normalisation, ReLU, 3x3: `growth` new maps behind all the old ones."""
    new = rectify(x, config, f"{name}_%s1")
    new = convolve(new, 4 * config.growth, 1, f"{name}_conv1")
    new = rectify(new, config, f"{name}_%s2")
    new = convolve(new, config.growth, 3, f"{name}_conv2", padding="same")
    return layers.Concatenate(name=f"{name}_concat")([x, new])


def rectify(x, config: DenseNet, name: str):
    """Batch normalisation and ReLU; `name` has a %s for the kind of layer."""
    momentum, epsilon = (0.9, 1e-5) if config.torchvision else (0.99, 1.001e-5)
    x = layers.BatchNormalization(momentum=momentum, epsilon=epsilon, name=name % "norm")(x)
    return layers.ReLU(name=name % "relu")(x)


def convolve(x, width: int, kernel: int, name: str, **fields):
    return layers.Conv2D(width, kernel, use_bias=False, kernel_initializer="he_normal", name=name, **fields)(x)
