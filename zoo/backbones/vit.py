"""ViT: an image is a sentence, its patches are the words.

Idea: cut the image into patches, turn each into a vector by one linear layer, add where it was, put a class token in front, and
let a plain transformer encoder do the rest. Nothing but the patches and the positions knows that this is an image; given enough of
them it learns what convolution would have told it.

Dosovitskiy et al. 2020, "An image is worth 16x16 words: Transformers for image recognition at scale", arXiv:2010.11929, section 3.1
and table 1; tiny and small from Touvron et al. 2020 (DeiT, arXiv:2012.12877, table 1) and Steiner et al. 2021 (AugReg,
arXiv:2106.10270, table 2). The number in a name is the side of a patch in pixels.

Every row equals timm's `vit_*_patch*_224`, and base and large torchvision's `vit_b_16` ... `vit_l_32`.

Sizes: every size is legal. The learned positions are resampled to the image's grid of patches (see `zoo.layers.Tokens`). An image
whose sides are no multiples of the patch is filled up at the right and below with zeros after normalisation, which is the mean
colour; timm does the same with `dynamic_img_size` and `dynamic_img_pad`, and otherwise refuses, as torchvision does.

Constants: base and large have torchvision's mean and standard deviation, because those are the weights on record; tiny and small
have 127.5, as AugReg and all of Google's weights were trained.

Deviations: the head starts as Glorot & Bengio do, not at zero. Queries, keys and values come from one dense layer, as in timm and
torchvision; what Glorot's rule makes of its width is a little smaller than for three. Dropout and stochastic depth are off, as in
the references; `changes=` turns them on. The hidden layer of the paper's pre-training head is left out, as for fine-tuning.
"""

from __future__ import annotations

from dataclasses import dataclass

from keras import initializers, layers

from zoo.backbones.variant import IMAGENET_MEAN, IMAGENET_STD, Top, Variant
from zoo.layers import Attention, SplitTokens, Tokens, exact_gelu

HALF = (127.5, 127.5, 127.5)
EPSILON = 1e-6


@dataclass(frozen=True, kw_only=True)
class ViT(Variant):
    """depth: blocks; width: channels of a token; heads: of the attention; patch: side of a patch in pixels.

    dropout:          rate after the positions, and after each dense layer of a block but the one for queries, keys and values
                      (the paper's appendix B.1, where it is 0.1).
    stochastic_depth: probability that the last block's branches are left out for an image in training; earlier ones proportionally less.
    """

    depth: int
    width: int
    heads: int
    patch: int
    dropout: float = 0.0
    stochastic_depth: float = 0.0
    top: Top = Top(pool="token")


def _row(parameters: int, depth: int, width: int, patch: int) -> ViT:
    big = width >= 768
    mean, std = (IMAGENET_MEAN, IMAGENET_STD) if big else (HALF, HALF)
    return ViT(
        parameters=parameters,
        source="torchvision" if big else "timm",
        minimum=patch,
        mean=mean,
        std=std,
        depth=depth,
        width=width,
        heads=width // 64,
        patch=patch,
    )


VARIANTS = {
    "vit_tiny_16": _row(5_717_416, 12, 192, 16),
    "vit_small_16": _row(22_050_664, 12, 384, 16),
    "vit_small_32": _row(22_878_952, 12, 384, 32),
    "vit_base_16": _row(86_567_656, 12, 768, 16),
    "vit_base_32": _row(88_224_232, 12, 768, 32),
    "vit_large_16": _row(304_326_632, 24, 1024, 16),
    "vit_large_32": _row(306_535_400, 24, 1024, 32),
    "vit_micro": ViT(
        parameters=13_282,
        source="closed formula",
        classes=10,
        input_shape=(48, 48, 3),
        minimum=16,
        depth=2,
        width=12,
        heads=2,
        patch=16,
    ),
}


def features(image, config: ViT, output_stride: int | None = None) -> dict:
    """Normalised image (b, h, w, c) -> {"c1": tokens of the patches as a map (b, h / patch, w / patch, d), rounded up,
    "token": the class token (b, d)}, both after the last normalisation."""
    patches = embed(image, config)
    grid = (-(-config.input_shape[0] // config.patch), -(-config.input_shape[1] // config.patch))
    x = drop(Tokens(grid, name="tokens")(patches), config, "tokens_dropout")
    for index in range(config.depth):
        x = block(x, config, config.stochastic_depth * index / max(1, config.depth - 1), f"block{index}")
    token, patches = SplitTokens(name="split")([norm(x, "norm"), patches])
    return {"c1": patches, "token": token}


def embed(image, config: ViT):
    """Patches (b, h, w, d): a convolution whose stride is its kernel is one linear layer for every patch."""
    # One pixel less than a patch is enough to fill the last patch of any image; what then begins no whole patch is not read.
    x = layers.ZeroPadding2D(((0, config.patch - 1), (0, config.patch - 1)), name="patches_pad")(image)
    return layers.Conv2D(config.width, config.patch, strides=config.patch, kernel_initializer="lecun_normal", name="patches")(x)


def block(x, config: ViT, rate: float, name: str):
    """Attention among tokens, then a perceptron for each, both added to what was there, both on normalised input (figure 1)."""
    y = layers.Dense(3 * config.width, name=f"{name}_qkv")(norm(x, f"{name}_norm1"))
    y = Attention(config.heads, name=f"{name}_attention")(y)
    y = drop(layers.Dense(config.width, name=f"{name}_project")(y), config, f"{name}_dropout")
    x = add(x, y, rate, f"{name}_%s1")
    y = norm(x, f"{name}_norm2")
    y = layers.Dense(4 * config.width, activation=exact_gelu, bias_initializer=tiny(), name=f"{name}_mlp1")(y)
    y = drop(y, config, f"{name}_mlp1_dropout")
    y = drop(layers.Dense(config.width, bias_initializer=tiny(), name=f"{name}_mlp2")(y), config, f"{name}_mlp2_dropout")
    return add(x, y, rate, f"{name}_%s2")


def add(x, y, rate: float, name: str):
    """The sum; in training y is left out for a share `rate` of the images (Huang et al. 2016, arXiv:1603.09382)."""
    if rate:
        y = layers.Dropout(rate, noise_shape=(None, 1, 1), name=name % "drop")(y)
    return layers.Add(name=name % "add")([x, y])


def drop(x, config: ViT, name: str):
    return layers.Dropout(config.dropout, name=name)(x) if config.dropout else x


def norm(x, name: str):
    return layers.LayerNormalization(epsilon=EPSILON, name=name)(x)


def tiny():
    """Of the biases of the perceptrons, in the paper's code."""
    return initializers.RandomNormal(stddev=1e-6)
