"""ResNeXt in torchvision and timm: their ResNet with other sizes, under the same names."""

from __future__ import annotations

from zoo.weights.foreign import Reference, resnet

REFERENCES = {
    "resnext101_32x4d": (Reference("timm", "resnext101_32x4d"),),
    **{
        name: (Reference("torchvision", name), Reference("timm", name))
        for name in ("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d")
    },
}


def torch(row):
    return resnet.torch(row)
