"""EfficientNetV2 in keras.applications and timm (tf_*), and (the rows `_torchvision`) in torchvision and timm."""

from __future__ import annotations

from zoo.weights.foreign import Reference
from zoo.weights.foreign.efficientnet import applications_names, torch_names

REFERENCES = {
    **{
        f"efficientnet_v2_{n.lower()}": (
            Reference("keras", f"EfficientNetV2{n}", {"include_preprocessing": False}),
            Reference("timm", f"tf_efficientnetv2_{n.lower()}"),
        )
        for n in ("B0", "B1", "B2", "B3", "S", "M", "L")
    },
    **{
        f"efficientnet_v2_{n}_torchvision": (
            Reference("torchvision", f"efficientnet_v2_{n}"),
            Reference("timm", f"efficientnetv2_{n}", changes={"epsilon": 1e-5}),
        )
        for n in "sml"
    },
}


def prepare(name: str, reference: Reference, images):
    """Normalised here, not in the network of keras.applications, which rounds 1 / 255 to float32 under every precision."""
    from zoo import registry

    row = registry.row(name)[1]
    return (images - row.mean) / row.std


def applications(row):
    return None if row.symmetric else applications_names(blocks(row), "dwconv2")


def torch(row):
    return torch_names(blocks(row), row)


def blocks(row) -> list[tuple[int, int, str]]:
    kinds = ("inverted" if not fused else "plain" if expansion == 1 else "fused" for fused, expansion, *_ in row.stages)
    return [(stage, i, kind) for stage, (kind, row) in enumerate(zip(kinds, row.stages, strict=True), start=1) for i in range(row[-1])]
