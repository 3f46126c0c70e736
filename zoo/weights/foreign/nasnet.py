"""NASNet-A in keras.applications and (the row `_timm`) in timm."""

from __future__ import annotations

from zoo.weights.foreign import Reference

REFERENCES = {
    "nasnet_mobile": (Reference("keras", "NASNetMobile"),),
    "nasnet_large": (Reference("keras", "NASNetLarge"),),
    "nasnet_large_timm": (Reference("timm", "nasnetalarge"),),
}
_NORMAL = {1: ("left", "right"), 2: ("left", "right"), 5: ("left",)}
_REDUCTION = {1: ("left", "right"), 2: ("right",), 3: ("right",), 5: ("left",)}
"""Blocks of a cell and their sides that are separable convolutions."""


def applications(row):
    if not row.padded_max:
        return None
    names = {"stem_conv": ("stem_conv1",), "stem_norm": ("stem_bn1",)}
    for ours, theirs, reduce, behind in _cells(row, "stem_{}", "reduce_{}", 1):
        kind = "reduction" if reduce else "normal"
        names |= {f"{ours}_current_conv": (f"{kind}_conv_1_{theirs}",), f"{ours}_current_norm": (f"{kind}_bn_1_{theirs}",)}
        if behind is not None:
            convs = {"conv1": "conv_1", "conv2": "conv_2"} if behind else {"conv": "conv_projection"}
            names |= {f"{ours}_previous_{part}": (f"adjust_{theirs_part}_{theirs}",) for part, theirs_part in convs.items()}
            names |= {f"{ours}_previous_norm": (f"adjust_bn_{theirs}",)}
        for block, side in _separables(reduce):
            # The fifth block of a reduction cell is called left4 there, as the pooling of the fourth is.
            place = f"{kind}_{side}{4 if reduce and block == 5 else block}_{theirs}"
            for index in (1, 2):
                names |= {f"{ours}_block{block}_{side}_separable{index}": (f"separable_conv_{index}_{place}",)}
                names |= {f"{ours}_block{block}_{side}_norm{index}": (f"separable_conv_{index}_bn_{place}",)}
    return {**names, "logits": ("predictions",)}


def torch(row):
    if row.padded_max:
        return None
    names = {"stem_conv": ("conv0.conv",), "stem_norm": ("conv0.bn",)}
    for ours, theirs, reduce, behind in _cells(row, "cell_stem_{}", "reduction_cell_{}", 0):
        names |= {f"{ours}_current_conv": (f"{theirs}.conv_1x1.conv",), f"{ours}_current_norm": (f"{theirs}.conv_1x1.bn",)}
        if behind:
            names |= {f"{ours}_previous_conv{index}": (f"{theirs}.path_{index}.conv",) for index in (1, 2)}
            names |= {f"{ours}_previous_norm": (f"{theirs}.final_path_bn",)}
        elif behind is not None:
            names |= {f"{ours}_previous_{part}": (f"{theirs}.conv_prev_1x1.{end}",) for part, end in (("conv", "conv"), ("norm", "bn"))}
        for block, side in _separables(reduce):
            for index in (1, 2):
                mine, place = f"{ours}_block{block}_{side}", f"{theirs}.comb_iter_{block - 1}_{side}"
                for part in ("depthwise", "pointwise"):
                    names |= {f"{mine}_separable{index}/{part}_kernel": (f"{place}.separable_{index}.{part}_conv2d.weight",)}
                names |= {f"{mine}_norm{index}": (f"{place}.bn_sep_{index}",)}
    return {**names, "logits": ("last_linear",)}


def _separables(reduce: bool) -> list[tuple[int, str]]:
    return [(block, side) for block, sides in (_REDUCTION if reduce else _NORMAL).items() for side in sides]


def _cells(row, stem: str, reduction: str, first: int):
    """(our name, theirs, whether it halves the map, whether the one before is halved first or None where it is taken as it is).

    timm numbers the normal cells and the reduction cells each from 0; keras.applications the cells through, from 0, and a reduction
    cell takes the number of the place where it stands.
    """
    through = first == 1
    yield "stem_reduction1", stem.format(first), True, None
    yield "stem_reduction2", stem.format(first + 1), True, True
    for level in (3, 4, 5):
        done = (level - 3) * row.depth
        if level > 3:
            yield f"stage{level}_reduction", reduction.format(done if through else level - 4), True, False
        for index in range(row.depth):
            number = done + index + (through and level > 3)
            yield f"stage{level}_cell{index}", f"{number}" if through else f"cell_{number}", False, index == 0
