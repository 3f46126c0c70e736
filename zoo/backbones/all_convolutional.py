"""The all-convolutional net: is pooling needed at all?

Idea: take a plain CNN and remove one thing after the other. Pooling can be a convolution with stride 2; the dense layers can be 1x1
convolutions and a mean. What is left, convolutions and nothing else, is as good as anything of its day on small images.

Springenberg, Dosovitskiy, Brox & Riedmiller 2014, "Striving for simplicity: the all convolutional net", arXiv:1412.6806.
`base_cnn_c` is model C of table 1; table 2 derives the other three from it, so that its argument can be measured:

    base_cnn_c        two 3x3 convolutions, max pooling
    strided_cnn_c     pooling removed, the convolution before it has stride 2: fewer layers, as few weights
    conv_pool_cnn_c   one more convolution before the pooling: as many weights as the next, and pooling
    all_cnn_c         pooling replaced by that convolution, with stride 2

`all_cnn_a` and `all_cnn_b` are the last column for models A (one 5x5 convolution per stage) and B (5x5 and 1x1).

Deviations: the paper's inputs are whitened and contrast-normalised, ours are divided by the deviation per channel of CIFAR-10. It does
not state its borders: the first two stages keep their size, so that 32x32 becomes 16x16 and 8x8, and the last 3x3 convolution has no
border, which gives the 6x6 that it averages. Pooling and the strided convolutions that stand for it see the same windows, at every
size. Weights start from He normal, the last layer from Glorot uniform.
"""

from __future__ import annotations

from dataclasses import dataclass

from keras import layers

from zoo.backbones.variant import Top, Variant


@dataclass(frozen=True, kw_only=True)
class AllConvolutional(Variant):
    """kernels: of the convolutions of each of the first two stages; widths: maps of the first stage, and of all behind it.

    down:    how a stage halves its map: "pool"; "stride", in its last convolution; "conv_pool", a 3x3 convolution and pooling; or
             "conv", a 3x3 convolution with stride 2.
    dropout: rates on the image and after each halving.
    """

    kernels: tuple[int, ...]
    down: str
    widths: tuple[int, int] = (96, 192)
    dropout: tuple[float, float] = (0.2, 0.5)


def _row(parameters: int, down: str, *kernels: int, **fields) -> AllConvolutional:
    common = {
        "source": "arXiv:1412.6806, tables 1 and 2 (their layers summed)",
        "classes": 10,
        "input_shape": (32, 32, 3),
        "minimum": 12,
        "mean": (125.307, 122.950, 113.865),  # per channel, of the training images of CIFAR-10
        "std": (62.993, 62.089, 66.705),
        "top": Top(output="convolution"),
    }
    return AllConvolutional(**{**common, "parameters": parameters, "down": down, "kernels": kernels, **fields})


_SMALL = {"widths": (8, 12), "source": "closed formula"}

VARIANTS = {
    "base_cnn_c": _row(954_730, "pool", 3, 3),
    "strided_cnn_c": _row(954_730, "stride", 3, 3),
    "conv_pool_cnn_c": _row(1_369_738, "conv_pool", 3, 3),
    "all_cnn_a": _row(1_254_250, "conv", 5),
    "all_cnn_b": _row(1_300_618, "conv", 5, 1),
    "all_cnn_c": _row(1_369_738, "conv", 3, 3),
    "all_convolutional_micro": _row(6_478, "conv", 3, 3, **_SMALL),
    "all_convolutional_b_micro": _row(6_734, "conv", 5, 1, **_SMALL),
    "all_convolutional_pool_micro": _row(6_478, "conv_pool", 3, 3, **_SMALL),
    "all_convolutional_stride_micro": _row(4_586, "stride", 3, 3, **_SMALL),
}


def features(image, config: AllConvolutional, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": stage 1 at stride 2, "c2": stage 2 at stride 4, "c3": the last 3x3 and 1x1}."""
    x, pyramid = drop(image, config.dropout[0], "image_dropout"), {}
    for index, width in enumerate(config.widths, start=1):
        x = pyramid[f"c{index}"] = stage(x, config, width, f"stage{index}")
        x = drop(x, config.dropout[1], f"stage{index}_dropout")
    x = convolve(x, config.widths[1], 3, "stage3_conv1", padding="valid")
    return {**pyramid, "c3": convolve(x, config.widths[1], 1, "stage3_conv2")}


def stage(x, config: AllConvolutional, width: int, name: str):
    """Convolutions that keep the size, and one of the four ways to halve it."""
    for index, kernel in enumerate(config.kernels, start=1):
        if config.down == "stride" and index == len(config.kernels):
            return halve(x, width, f"{name}_conv{index}")
        x = convolve(x, width, kernel, f"{name}_conv{index}")
    if config.down == "conv":
        return halve(x, width, f"{name}_down")
    if config.down == "conv_pool":
        x = convolve(x, width, 3, f"{name}_before_pool")
    # The map is rectified: a row of zeros behind it is what minus infinity would be.
    return layers.MaxPooling2D(3, strides=2, name=f"{name}_pool")(border(x, f"{name}_pool_pad"))


def halve(x, width: int, name: str):
    """A 3x3 convolution every 2, of the windows that the pooling sees."""
    return convolve(border(x, f"{name}_pad"), width, 3, name, strides=2, padding="valid")


def border(x, name: str):
    """A row of zeros below and one on the right: windows of 3 start at 0, 2, 4, ... and an even map is halved exactly."""
    return layers.ZeroPadding2D(((0, 1), (0, 1)), name=name)(x)


def convolve(x, width: int, kernel: int, name: str, strides: int = 1, padding: str = "same"):
    fields = {"strides": strides, "padding": padding, "activation": "relu", "kernel_initializer": "he_normal"}
    return layers.Conv2D(width, kernel, name=name, **fields)(x)


def drop(x, rate: float, name: str):
    return layers.Dropout(rate, name=name)(x) if rate else x
