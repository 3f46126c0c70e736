"""EfficientNet in keras.applications and timm (tf_*), and (the rows `_torchvision`) in torchvision and timm.

The input constants of keras.applications' network are left out, because mean and std of the row do the same: see `prepare`.
"""

from __future__ import annotations

import numpy as np

from zoo.weights.foreign import Reference

IGNORED = ("normalization*",)
_TIMM = "the reference moves its batch statistics ten times as fast"

REFERENCES = {
    **{
        f"efficientnet_b{n}": (
            Reference("keras", f"EfficientNetB{n}"),
            Reference("timm", f"tf_efficientnet_b{n}", changes={"momentum": 0.9}, note=_TIMM),
        )
        for n in range(8)
    },
    **{
        f"efficientnet_b{n}_torchvision": (
            Reference("torchvision", f"efficientnet_b{n}"),
            Reference("timm", f"efficientnet_b{n}", changes={} if n < 5 else {"epsilon": 1e-5, "momentum": 0.9}),
        )
        for n in range(8)
    },
}


def prepare(name: str, reference: Reference, images):
    """Without published weights, keras.applications' EfficientNet multiplies by 1 / 255 and does no more: mean 0 and variance 1 are what
    its `Normalization` starts from. Its factor is rounded to float32 under every precision, so our normalised image is divided by that."""
    from zoo import registry

    row = registry.row(name)[1]
    return (images - row.mean) / row.std / float(np.float32(1 / 255))


def applications(row):
    return None if row.symmetric else applications_names(blocks(row), "dwconv")


def torch(row):
    return torch_names(blocks(row), row)


def blocks(row) -> list[tuple[int, int, str]]:
    """(stage, index from 0, kind: a key of `PARTS`) of every block."""
    kinds = ("separable" if expansion == 1 else "inverted" for expansion, *_ in row.stages)
    return [(stage, i, kind) for stage, (kind, row) in enumerate(zip(kinds, row.stages, strict=True), start=1) for i in range(row[-1])]


PARTS = {
    "separable": {"depthwise": "conv_dw", "se": "se", "project": "conv_pw"},
    "inverted": {"expand": "conv_pw", "depthwise": "conv_dw", "se": "se", "project": "conv_pwl"},
    "plain": {"project": "conv"},
    "fused": {"expand": "conv_exp", "project": "conv_pwl"},
}
"""Parts of a block in order, with timm's names of their convolutions."""


def applications_names(found, depthwise: str) -> dict:
    """Their blocks are counted in letters, block2a, block2b; `depthwise` is what they call that convolution."""
    names = _pair("stem", ("stem_conv",), ("stem_bn",))
    for stage, index, kind in found:
        ours, theirs = f"stage{stage}_block{index}", f"block{stage}{chr(ord('a') + index)}"
        for part in PARTS[kind]:
            if part == "se":
                names |= {f"{ours}_se_{half}": (f"{theirs}_se_{half}",) for half in ("reduce", "expand")}
            elif part == "depthwise":
                names |= _pair(f"{ours}_depthwise", (f"{theirs}_{depthwise}",), (f"{theirs}_bn",))
            else:
                names |= _pair(f"{ours}_{part}", (f"{theirs}_{part}_conv",), (f"{theirs}_{part}_bn",))
    return {**names, **_pair("last", ("top_conv",), ("top_bn",)), "logits": ("predictions",)}


def torch_names(found, row) -> dict:
    """torchvision numbers the parts of a block, timm its normalisations; only the symmetric networks are torchvision's."""

    def named(vision: str, timm: str) -> tuple[str, ...]:
        return (vision, timm) if row.symmetric else (timm,)

    names = _pair("stem", named("features.0.0", "conv_stem"), named("features.0.1", "bn1"))
    for stage, index, kind in found:
        ours, vision, timm, norms = f"stage{stage}_block{index}", f"features.{stage}.{index}.block", f"blocks.{stage - 1}.{index}", 0
        for place, (part, conv) in enumerate(PARTS[kind].items()):
            if part == "se":
                names[f"{ours}_se_reduce"] = named(f"{vision}.{place}.fc1", f"{timm}.se.conv_reduce")
                names[f"{ours}_se_expand"] = named(f"{vision}.{place}.fc2", f"{timm}.se.conv_expand")
                continue
            norms += 1
            layer, norm = named(f"{vision}.{place}.0", f"{timm}.{conv}"), named(f"{vision}.{place}.1", f"{timm}.bn{norms}")
            names |= _pair(f"{ours}_{part}", layer, norm)
    last = f"features.{len(row.stages) + 1}"
    names |= _pair("last", named(f"{last}.0", "conv_head"), named(f"{last}.1", "bn2"))
    return {**names, "logits": named("classifier.1", "classifier")}


def _pair(ours: str, conv: tuple[str, ...], norm: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return {f"{ours}_conv": conv, f"{ours}_norm": norm}
