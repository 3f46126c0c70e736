"""MobileNet in keras.applications (rows without a suffix but alpha's) and in timm."""

from __future__ import annotations

from zoo.weights.foreign import Reference

REFERENCES = {
    **{
        f"mobilenet{suffix}": (Reference("keras", "MobileNet", {"alpha": alpha}),)
        for suffix, alpha in (("", 1.0), ("_075", 0.75), ("_050", 0.5), ("_025", 0.25))
    },
    "mobilenet_timm": (Reference("timm", "mobilenetv1_100"),),
}


def applications(row):
    if row.padding != "corner":
        return None
    names = {"stem_conv": ("conv1",), "stem_norm": ("conv1_bn",)}
    for number, (stage, index) in enumerate(_blocks(row), start=1):
        ours = f"stage{stage}_block{index}"
        for part, theirs in (("depthwise", f"conv_dw_{number}"), ("pointwise", f"conv_pw_{number}")):
            names |= {f"{ours}_{part}_conv": (theirs,), f"{ours}_{part}_norm": (f"{theirs}_bn",)}
    return {**names, "logits": ("conv_preds",)}


def torch(row):
    if row.padding != "symmetric":
        return None
    names = {"stem_conv": ("conv_stem",), "stem_norm": ("bn1",)}
    for stage, index in _blocks(row):
        ours, theirs = f"stage{stage}_block{index}", f"blocks.{stage - 1}.{index}"
        names |= {f"{ours}_depthwise_conv": (f"{theirs}.conv_dw",), f"{ours}_depthwise_norm": (f"{theirs}.bn1",)}
        names |= {f"{ours}_pointwise_conv": (f"{theirs}.conv_pw",), f"{ours}_pointwise_norm": (f"{theirs}.bn2",)}
    return {**names, "logits": ("classifier",)}


def tflite(row):
    """(convolution, its normalisation or None) in the order in which a TensorFlow Lite file of the network runs them."""
    return None if row.padding != "corner" else _folded(list(applications(row)))


def _folded(layers: list[str]) -> list[tuple[str, str | None]]:
    *body, logits = layers
    return [*zip(body[::2], body[1::2], strict=True), (logits, None)]


def _blocks(row) -> list[tuple[int, int]]:
    """(stage from 1, index from 0)."""
    return [(stage, index) for stage, widths in enumerate(row.stages, start=1) for index in range(len(widths))]
