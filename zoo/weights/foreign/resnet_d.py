"""ResNet-C and ResNet-D in timm: its ResNet with another stem, and a pooling before the convolution of a shortcut."""

from __future__ import annotations

from zoo.weights.foreign import Reference, resnet

REFERENCES = {
    "resnet50_c": (Reference("timm", "resnet50c"),),
    **{f"resnet{depth}_d": (Reference("timm", f"resnet{depth}d"),) for depth in (18, 34, 50, 101, 152)},
}


def torch(row):
    if row.v1 or row.small_image or not row.late_stride:
        return None
    names = resnet.torch(row)
    if row.deep_stem:
        stem = {"stem_conv1": "conv1.0", "stem_norm1": "conv1.1", "stem_conv2": "conv1.3", "stem_norm2": "conv1.4", "stem_conv3": "conv1.6"}
        names = {ours: (theirs,) for ours, theirs in {**stem, "stem_norm3": "bn1"}.items()} | names
        del names["stem_conv"], names["stem_norm"]
    if row.average_shortcut:  # their numbers count the pooling, also where there is none
        for ours, (theirs,) in names.items():
            if ours.endswith(("_shortcut_conv", "_shortcut_norm")):
                block, _, number = theirs.rpartition(".")
                names[ours] = (f"{block}.{int(number) + 1}",)
    return names
