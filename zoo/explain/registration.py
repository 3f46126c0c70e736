"""Heat maps placed where the network looked.

Stretching a small map over the image, as every other library does, lays the middle of the first cell half a cell from the corner. It
belongs at the centre of the first cell's receptive field, which the zeros of the layers before may have moved by half a cell: 15 pixels
at 224 in ResNet-50. Here a map is sampled at (pixel - centre of cell 0) / stride instead.
"""

from __future__ import annotations

import numpy as np

from zoo.explain.images import picture, resize_heat
from zoo.explain.receptive_field import ReceptiveField
from zoo.explain.session import field_of

PLACEMENTS = ("field", "stretch")


def place_heat(heat, size: tuple[int, int], field: ReceptiveField) -> np.ndarray:
    """Maps (b, rows, columns) -> (b, *size): each cell at the centre of its receptive field, bilinear between; raw values kept.

    size, field: the image's (height, width), and `receptive_field(model, layer, size)`.

    Beyond the outermost centres the outermost cells hold: no other cell is nearer, and nothing is made up. So a border cell of a
    network whose centres start inside the image paints a broad band, of which it saw the whole.

    Raises ValueError when the map or the size is not the field's.
    """
    heat = np.asarray(heat)
    if heat.ndim != 3 or heat.shape[1:] != field.map_size or tuple(size) != field.image_size:
        raise ValueError(
            f"the field of {field.layer!r} places maps (b, {field.map_size[0]}, {field.map_size[1]}) on images {field.image_size}, "
            f"got a map {heat.shape} for {tuple(size)}"
        )
    dtype = np.result_type(heat.dtype, np.float32)
    down, right = (
        _weights(side, cells, axis.centre, axis.step).astype(dtype)
        for side, cells, axis in zip(size, field.map_size, (field.rows, field.columns), strict=True)
    )
    return down @ heat.astype(dtype) @ right.T


def placed(model, batch, heat: np.ndarray, layer, placement: str) -> np.ndarray:
    """Raw maps of a layer at the size of the images of `batch`, by `placement`; "field" is "stretch" where no field is known."""
    size = picture(batch).shape[1:3]
    field = field_of(model, batch, layer) if check(placement) == "field" else None
    return resize_heat(heat, size) if field is None else place_heat(heat, size, field)


def placement_of(model, images, layer=None) -> str:
    """How the maps of a layer are laid on these images by default: "field", or "stretch" where no receptive field is known.

    Arguments as in `gradcam`. `receptive_field` tells by its error why it is not known.
    """
    return "stretch" if field_of(model, images, layer) is None else "field"


def hottest_field(model, images, heat, layer=None) -> np.ndarray:
    """What the hottest cell of each map sees: boxes float32 (b, 4), xyxy in pixels, cut to the image; to draw with `viz.outlined`.

    heat: raw maps (b, rows, columns) of the same images and layer, by `resize=False`; a map without positive heat gives the empty
          box 0, 0, 0, 0.

    Where a gate or attention lets every cell see all, the box is that of the local path. Raises ValueError for heat of another size
    than the layer's map, and where the field is not known.
    """
    heat = np.asarray(heat)
    heat = heat[None] if heat.ndim == 2 else heat
    field = field_of(model, images, layer)
    if field is None:
        raise ValueError(f"the receptive field of this layer of {model.name!r} is not known; receptive_field(model, layer, size) says why")
    if heat.ndim != 3 or heat.shape[1:] != field.map_size:
        raise ValueError(f"heat must be raw maps (b, {field.map_size[0]}, {field.map_size[1]}) by resize=False, got shape {heat.shape}")
    cells = (np.unravel_index(one.argmax(), one.shape) for one in heat)
    boxes = [field.box(*cell) if one.max() > 0 else (0, 0, 0, 0) for one, cell in zip(heat, cells, strict=True)]
    return np.asarray(boxes, np.float32)


def check(placement: str) -> str:
    if placement not in PLACEMENTS:
        raise ValueError(f"placement must be one of {PLACEMENTS}, got {placement!r}")
    return placement


def _weights(pixels: int, cells: int, centre: float, stride: float) -> np.ndarray:
    """(pixels, cells): how much of each cell every pixel takes; rows sum to one."""
    at = np.clip((np.arange(pixels) - centre) / stride, 0, cells - 1)[:, None]
    return np.maximum(0, 1 - np.abs(at - np.arange(cells)))
