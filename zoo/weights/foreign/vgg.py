"""VGG in keras.applications, torchvision and timm."""

from __future__ import annotations

from zoo.weights.foreign import Reference, positions

BGR = True

REFERENCES = {
    **{f"vgg{d}": (Reference("torchvision", f"vgg{d}"), Reference("timm", f"vgg{d}")) for d in (11, 13)},
    **{
        f"vgg{d}": (Reference("keras", f"VGG{d}", fixed=True), Reference("torchvision", f"vgg{d}"), Reference("timm", f"vgg{d}"))
        for d in (16, 19)
    },
    **{f"vgg{d}_bn": (Reference("torchvision", f"vgg{d}_bn"), Reference("timm", f"vgg{d}_bn")) for d in (11, 13, 16, 19)},
}


def applications(row):
    if row.batch_norm:
        return None
    blocks = {f"stage{stage}_conv{index}": (f"block{stage}_conv{index}",) for stage, index in positions(row.depths)}
    return {**blocks, "fc1": ("fc1",), "fc2": ("fc2",), "logits": ("predictions",)}


def torch(row):
    """The layers of `features` are numbered through: convolution, (normalisation,) ReLU, and a pooling after each stage."""
    names, number, step = {}, 0, 3 if row.batch_norm else 2
    for stage, index in positions(row.depths):
        number += index == 1 and stage > 1  # the pooling of the stage before
        names[f"stage{stage}_conv{index}"] = (f"features.{number}",)
        if row.batch_norm:
            names[f"stage{stage}_norm{index}"] = (f"features.{number + 1}",)
        number += step
    head = {"fc1": ("classifier.0", "pre_logits.fc1"), "fc2": ("classifier.3", "pre_logits.fc2"), "logits": ("classifier.6", "head.fc")}
    return {**names, **head}
