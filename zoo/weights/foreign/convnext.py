"""ConvNeXt in keras.applications, torchvision and timm."""

from __future__ import annotations

from zoo.weights.foreign import Reference, positions

IGNORED = ("layer_normalization*",)
"""Without the head, keras.applications normalises its pooled features with a fresh layer of no name; ours belongs to the head."""

_NOTE = "Keras' GELU divides by a square root of 2 in float32, and its normalisation of images holds float32 constants."
_SIZES = {"tiny": "Tiny", "small": "Small", "base": "Base", "large": "Large", "xlarge": "XLarge"}

REFERENCES = {
    f"convnext_{size}": (
        Reference("keras", f"ConvNeXt{name}", gate=1e-7, note=_NOTE),
        *((Reference("torchvision", f"convnext_{size}"),) if size != "xlarge" else ()),
        Reference("timm", f"convnext_{size}"),
    )
    for size, name in _SIZES.items()
}


def applications(row):
    """Their names begin with the network's, and the stem and each downsampling are a small network of their own: its name comes first,
    and in files written by old releases perhaps not."""
    size = {(96, 9): "tiny", (96, 27): "small", (128, 27): "base", (192, 27): "large", (256, 27): "xlarge"}.get(
        (row.widths[0], row.depths[2])
    )
    if size is None:
        return None
    model = f"convnext_{size}"
    names = _inner(model, "stem", "stem_conv", "stem_conv") | _inner(model, "stem", "stem_norm", "stem_layernorm")
    for stage in (2, 3, 4):
        group = f"downsampling_block_{stage - 2}"
        names |= _inner(model, group, f"stage{stage}_downsample_norm", f"downsampling_layernorm_{stage - 2}")
        names |= _inner(model, group, f"stage{stage}_downsample_conv", f"downsampling_conv_{stage - 2}")
    kinds = {"depthwise": "depthwise_conv", "norm": "layernorm", "expand": "pointwise_conv_1", "project": "pointwise_conv_2"}
    for stage, block in positions(row.depths):
        ours, theirs = f"stage{stage}_block{block - 1}", f"{model}_stage_{stage - 1}_block_{block - 1}"
        names |= {f"{ours}_{kind}": (f"{theirs}_{their_kind}",) for kind, their_kind in kinds.items()}
        scale = f"{theirs}_layer_scale"
        ends = (f"{scale}/variable", f"{scale}/Variable:0", "Variable:0")
        names[f"{ours}_scale/gamma"] = tuple(f"{scale}/{end}" for end in ends)
    return {**names, "head_norm": (f"{model}_head_layernorm",), "logits": (f"{model}_head_dense",)}


def _inner(model: str, group: str, ours: str, theirs: str) -> dict[str, tuple[str, ...]]:
    group, theirs = f"{model}_{group}", f"{model}_{theirs}"
    weights = ("gamma", "beta") if ours.endswith("norm") else ("kernel", "bias")
    starts = (f"{group}/{group}/{theirs}", f"{group}/{theirs}")
    return {f"{ours}/{weight}": tuple(f"{start}/{weight}{end}" for start in starts for end in ("", ":0")) for weight in weights}


def torch(row):
    names = {"stem_conv": ("stem.0", "features.0.0"), "stem_norm": ("stem.1", "features.0.1")}
    for stage in (2, 3, 4):
        for part, kind in enumerate(("norm", "conv")):
            names[f"stage{stage}_downsample_{kind}"] = (f"stages.{stage - 1}.downsample.{part}", f"features.{2 * stage - 2}.{part}")
    for stage, block in positions(row.depths):
        ours = f"stage{stage}_block{block - 1}"
        timm, vision = f"stages.{stage - 1}.blocks.{block - 1}", f"features.{2 * stage - 1}.{block - 1}"
        names |= {
            f"{ours}_depthwise": (f"{timm}.conv_dw", f"{vision}.block.0"),
            f"{ours}_norm": (f"{timm}.norm", f"{vision}.block.2"),
            f"{ours}_expand": (f"{timm}.mlp.fc1", f"{vision}.block.3"),
            f"{ours}_project": (f"{timm}.mlp.fc2", f"{vision}.block.5"),
            f"{ours}_scale/gamma": (f"{timm}.gamma", f"{vision}.layer_scale"),
        }
    return {**names, "head_norm": ("head.norm", "classifier.0"), "logits": ("head.fc", "classifier.2")}
