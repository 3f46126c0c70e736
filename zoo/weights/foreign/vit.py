"""ViT in torchvision and timm.

timm resamples positions in float32 whatever it computes in; `zoo.verify.torch_side` lets it stay in float64. Files that torchvision
published before its release 0.12 call the dense layers linear_1 and linear_2.
"""

from __future__ import annotations

from zoo.weights.foreign import Reference

_ANY_SIZE = {"dynamic_img_size": True, "dynamic_img_pad": True}
_NOTE = "timm resamples the learned positions in float32, here in float64."


def _timm(size: str, patch: int) -> Reference:
    return Reference("timm", f"vit_{size}_patch{patch}_224", options=_ANY_SIZE, note=_NOTE)


REFERENCES = {
    **{f"vit_{size}_{patch}": (_timm(size, patch),) for size, patch in (("tiny", 16), ("small", 16), ("small", 32))},
    **{
        f"vit_{size}_{patch}": (Reference("torchvision", f"vit_{size[0]}_{patch}", fixed=True), _timm(size, patch))
        for size in ("base", "large")
        for patch in (16, 32)
    },
}


def torch(row):
    names: dict[str, tuple[str, ...]] = {
        "patches": ("patch_embed.proj", "conv_proj"),
        "tokens/token": ("cls_token", "class_token"),
        "tokens/embedding": ("pos_embed", "encoder.pos_embedding"),
    }
    for index in range(row.depth):
        ours, timm, vision = f"block{index}", f"blocks.{index}", f"encoder.layers.encoder_layer_{index}"
        names |= {
            f"{ours}_norm1": (f"{timm}.norm1", f"{vision}.ln_1"),
            f"{ours}_qkv": (f"{timm}.attn.qkv",),
            f"{ours}_qkv/kernel": (f"{vision}.self_attention.in_proj_weight",),
            f"{ours}_qkv/bias": (f"{vision}.self_attention.in_proj_bias",),
            f"{ours}_project": (f"{timm}.attn.proj", f"{vision}.self_attention.out_proj"),
            f"{ours}_norm2": (f"{timm}.norm2", f"{vision}.ln_2"),
            f"{ours}_mlp1": (f"{timm}.mlp.fc1", f"{vision}.mlp.0", f"{vision}.mlp.linear_1"),
            f"{ours}_mlp2": (f"{timm}.mlp.fc2", f"{vision}.mlp.3", f"{vision}.mlp.linear_2"),
        }
    return {**names, "norm": ("norm", "encoder.ln"), "logits": ("head", "heads.head")}
