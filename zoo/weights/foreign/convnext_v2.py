"""ConvNeXt V2 in timm."""

from __future__ import annotations

from zoo.weights.foreign import Reference, positions

_SIZES = ("atto", "femto", "pico", "nano", "tiny", "base", "large", "huge")

REFERENCES = {f"convnext_v2_{size}": (Reference("timm", f"convnextv2_{size}"),) for size in _SIZES}


def torch(row):
    names = {"stem_conv": ("stem.0",), "stem_norm": ("stem.1",)}
    for stage in (2, 3, 4):
        for part, kind in enumerate(("norm", "conv")):
            names[f"stage{stage}_downsample_{kind}"] = (f"stages.{stage - 1}.downsample.{part}",)
    kinds = {"depthwise": "conv_dw", "norm": "norm", "expand": "mlp.fc1", "response": "mlp.grn", "project": "mlp.fc2"}
    for stage, block in positions(row.depths):
        theirs = f"stages.{stage - 1}.blocks.{block - 1}"
        names |= {f"stage{stage}_block{block - 1}_{kind}": (f"{theirs}.{their_kind}",) for kind, their_kind in kinds.items()}
    return {**names, "head_norm": ("head.norm",), "logits": ("head.fc",)}
