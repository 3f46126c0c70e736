"""MobileNetV3 in keras.applications, torchvision and timm.

The files of keras.applications were saved with slashes in the names of the layers ("expanded_conv_1/expand/BatchNorm"), which its code
today writes as underscores; both are known here, the first from memory of the code of that time.
"""

from __future__ import annotations

from zoo.backbones.mobilenet_v3 import stages
from zoo.weights.foreign import Reference

_NOTE = "timm's own weights differ in epsilon"

REFERENCES = {
    **{
        f"mobilenet_v3_{size.lower()}{suffix}": (
            Reference("keras", f"MobileNetV3{size}", {"include_preprocessing": False, **options}),
            Reference("timm", f"tf_mobilenetv3_{size.lower()}_{theirs}"),
        )
        for size in ("Large", "Small")
        for suffix, options, theirs in (
            ("", {}, "100"),
            ("_075", {"alpha": 0.75}, "075"),
            ("_minimalistic", {"minimalistic": True}, "minimal_100"),
        )
    },
    **{
        f"mobilenet_v3_{size}_torchvision": (
            Reference("torchvision", f"mobilenet_v3_{size}"),
            Reference("timm", f"mobilenetv3_{size}_100", changes={"epsilon": 1e-5}, note=_NOTE),
        )
        for size in ("large", "small")
    },
}


def prepare(name: str, reference: Reference, images):
    """What its Rescaling layer computes, which multiplies with a constant of float32."""
    return images / 127.5 - 1.0


def applications(row):
    if row.padding != "same":
        return None
    names = {"stem_conv": ("conv", "Conv"), "stem_norm": ("conv_bn", "Conv/BatchNorm")}
    for number, (ours, _, parts) in enumerate(_blocks(row)):
        theirs = f"expanded_conv_{number}" if number else "expanded_conv"
        for part in parts:
            if part == "se":
                for kind, suffix in (("reduce", ""), ("expand", "_1")):
                    names[f"{ours}_se_{kind}"] = (f"{theirs}_squeeze_excite_conv{suffix}", f"{theirs}/squeeze_excite/Conv{suffix}")
                continue
            names[f"{ours}_{part}_conv"] = (f"{theirs}_{part}", f"{theirs}/{part}")
            names[f"{ours}_{part}_norm"] = (f"{theirs}_{part}_bn", f"{theirs}/{part}/BatchNorm")
    names |= {"last_conv": ("conv_1", "Conv_1"), "last_norm": ("conv_1_bn", "Conv_1/BatchNorm")}
    return {**names, "fc1": ("conv_2", "Conv_2"), "logits": ("logits", "Logits")}


def torch(row):
    """timm alone has the networks that pad as TensorFlow; those that pad both sides are in both."""
    names = {"stem_conv": ("features.0.0", "conv_stem"), "stem_norm": ("features.0.1", "bn1")}
    blocks = _blocks(row)
    for number, (ours, (stage, index), parts) in enumerate(blocks, start=1):
        vision, timm = f"features.{number}.block", f"blocks.{stage - 1}.{index}"
        wide = "expand" in parts
        kinds = {"expand": "conv_pw", "depthwise": "conv_dw", "project": "conv_pwl" if wide else "conv_pw"}
        norms = {"expand": "bn1", "depthwise": "bn2" if wide else "bn1", "project": "bn3" if wide else "bn2"}
        for place, part in enumerate(parts):
            if part == "se":
                names[f"{ours}_se_reduce"] = (f"{vision}.{place}.fc1", f"{timm}.se.conv_reduce")
                names[f"{ours}_se_expand"] = (f"{vision}.{place}.fc2", f"{timm}.se.conv_expand")
                continue
            names[f"{ours}_{part}_conv"] = (f"{vision}.{place}.0", f"{timm}.{kinds[part]}")
            names[f"{ours}_{part}_norm"] = (f"{vision}.{place}.1", f"{timm}.{norms[part]}")
    last, widest = f"features.{len(blocks) + 1}", f"blocks.{blocks[-1][1][0]}.0"
    names |= {"last_conv": (f"{last}.0", f"{widest}.conv"), "last_norm": (f"{last}.1", f"{widest}.bn1")}
    return {**names, "fc1": ("classifier.0", "conv_head"), "logits": ("classifier.3", "classifier")}


def _blocks(row) -> list[tuple[str, tuple[int, int], tuple[str, ...]]]:
    """(our name, (stage from 1, index from 0), its parts in order)."""
    found, before = [], row.stem
    for stage, index, (width, _, inner, gated, _, _) in stages(row):
        parts = ("expand",) * (inner != before) + ("depthwise",) + ("se",) * (gated and not row.minimalistic) + ("project",)
        found.append((f"stage{stage}_block{index}", (stage, index), parts))
        before = width
    return found
