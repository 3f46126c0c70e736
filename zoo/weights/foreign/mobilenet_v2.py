"""MobileNetV2 in keras.applications, and (the row `_torchvision`) in torchvision and timm.

keras.applications has renamed its layers since its files were saved: the blocks were "mobl1_conv_1_expand" at first, and the logits
"Logits". All of these names are known here.
"""

from __future__ import annotations

from zoo.weights.foreign import Reference

REFERENCES = {
    **{
        f"mobilenet_v2{suffix}": (Reference("keras", "MobileNetV2", {"alpha": alpha}),)
        for suffix, alpha in (("_035", 0.35), ("_050", 0.5), ("_075", 0.75), ("", 1.0), ("_130", 1.3), ("_140", 1.4))
    },
    "mobilenet_v2_torchvision": (Reference("torchvision", "mobilenet_v2"), Reference("timm", "mobilenetv2_100")),
}


def applications(row):
    if row.padding != "same":
        return None
    names: dict[str, tuple[str, ...]] = {"stem_conv": ("Conv1",), "stem_norm": ("bn_Conv1",)}
    for number, (ours, parts) in enumerate(_blocks(row)):
        theirs = f"block_{number}" if number else "expanded_conv"
        for part in parts:
            names[f"{ours}_{part}_conv"] = (f"{theirs}_{part}", f"mobl{number}_conv_{number}_{part}")
            names[f"{ours}_{part}_norm"] = (f"{theirs}_{part}_BN", f"bn{number}_conv_{number}_bn_{part}")
    return {**names, "last_conv": ("Conv_1",), "last_norm": ("Conv_1_bn",), "logits": ("predictions", "Logits")}


def torch(row):
    if row.padding != "symmetric":
        return None
    names: dict[str, tuple[str, ...]] = {"stem_conv": ("features.0.0", "conv_stem"), "stem_norm": ("features.0.1", "bn1")}
    blocks = _blocks(row)
    for number, (ours, parts) in enumerate(blocks, start=1):
        stage, block = ours.removeprefix("stage").split("_block")
        vision, timm = f"features.{number}.conv", f"blocks.{int(stage) - 1}.{block}"
        kinds = {"expand": "conv_pw", "depthwise": "conv_dw", "project": "conv_pwl" if len(parts) == 3 else "conv_pw"}
        for index, part in enumerate(parts):
            # torchvision wraps a convolution with an activation, and its normalisation, in a sequence of their own
            conv, norm = (f"{index}", f"{index + 1}") if part == "project" else (f"{index}.0", f"{index}.1")
            names |= {f"{ours}_{part}_conv": (f"{vision}.{conv}", f"{timm}.{kinds[part]}")}
            names |= {f"{ours}_{part}_norm": (f"{vision}.{norm}", f"{timm}.bn{index + 1}")}
    last = f"features.{len(blocks) + 1}"
    names |= {"last_conv": (f"{last}.0", "conv_head"), "last_norm": (f"{last}.1", "bn2")}
    return {**names, "logits": ("classifier.1", "classifier")}


def tflite(row):
    """(convolution, its normalisation or None) in the order in which a TensorFlow Lite file of the network runs them."""
    if row.padding != "same":
        return None
    *body, logits = applications(row)
    return [*zip(body[::2], body[1::2], strict=True), (logits, None)]


def _blocks(row) -> list[tuple[str, tuple[str, ...]]]:
    """(our name, its convolutions in order)."""
    parts = ("expand", "depthwise", "project")
    return [
        (f"stage{stage}_block{index}", parts if expansion > 1 else parts[1:])
        for stage, (expansion, _, depth, _) in enumerate(row.stages, start=1)
        for index in range(depth)
    ]
