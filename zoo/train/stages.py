"""The parts of a network from the image to the outputs, as fine-tuning counts them: the levels of a zoo row, the levels of a detector's
backbone and its neck, or layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import keras
from keras import layers

from zoo import registry
from zoo.layers import AdaptiveAveragePooling

_COLLAPSE = (layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D, layers.Flatten, AdaptiveAveragePooling)


def atoms(model: keras.Model) -> Iterator[keras.Layer]:
    """The layers of `model` in the order in which they run; a model used as a layer is opened."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from atoms(layer)
        else:
            yield layer


def levels_of(model: keras.Model) -> dict[str, str] | dict[str, Sequence[str]]:
    """{"c1": name of the layer that gives this level, ...} for a model of the zoo that has kept the name of its row, and what a detector
    says of itself, where "neck" has several such layers; else {}."""
    own = getattr(model, "levels", None)
    if own:
        return dict(own)
    if model.name not in registry.rows():
        return {}
    backbone = registry.build_backbone(model.name, input_shape=model.input_shape[1:])
    names = {level: output._keras_history.operation.name for level, output in backbone.output.items()}
    own = {layer.name for layer in model.layers}
    return names if set(names.values()) <= own else {}


def stages(model: keras.Model, levels: Mapping[str, str | Sequence[str]] | None = None) -> dict[str, list[keras.Layer]]:
    """Stage -> its layers, from the image to the output.

    levels: {"c1": layer name, ...} as `zoo.anatomy.levels(zoo.backbone(...))` gives; default: those of the row that `model.name` names.
    With levels, a stage is what a level needs beyond the one before, and "head" is the rest. Without, each layer that has weights is a
    stage of its own, and a model used as a layer is one stage.
    """
    levels = levels_of(model) if levels is None else levels
    if not levels:
        return {layer.name: list(atoms(layer)) if isinstance(layer, keras.Model) else [layer] for layer in model.layers if layer.weights}
    found: dict[str, list[keras.Layer]] = {}
    taken: set[int] = set()
    for level, name in levels.items():
        found[level] = []
        for end in [name] if isinstance(name, str) else name:
            own = [layer for layer in needed(model, end) if id(layer) not in taken]
            taken |= {id(layer) for layer in own}
            found[level] += own
    return {**found, "head": [layer for layer in atoms(model) if id(layer) not in taken]}


def needed(model: keras.Model, name: str) -> list[keras.Layer]:
    """The layer called `name` and every layer that it depends on; found inside models used as layers too.

    Raises ValueError when there is no such layer.
    """
    for index, layer in enumerate(model.layers):
        inside = isinstance(layer, keras.Model) and layer.name != name
        if inside and any(each.name == name for each in layer._flatten_layers(include_self=False)):
            return [*_before(model, index), *needed(layer, name)]
        if layer.name == name:
            return [*_before(model, index), *(atoms(layer) if isinstance(layer, keras.Model) else [layer])]
    close = ", ".join(each.name for each in atoms(model) if each.weights)
    raise ValueError(f"{model.name} has no layer called {name!r}; its layers with weights: {close}")


def backbone_of(model: keras.Model, levels: Mapping[str, str | Sequence[str]] | None = None) -> list[keras.Layer] | None:
    """The layers before neck and head: all levels of the pyramid, or what the last collapse of space reads. None where there is neither."""
    levels = levels_of(model) if levels is None else levels
    if levels:
        names = [each for stage, each in stages(model, levels).items() if stage not in ("neck", "head")]
        return [layer for own in names for layer in own]
    last = [layer for layer in model.layers if isinstance(layer, _COLLAPSE)]
    return needed(model, last[-1].name) if last else None


def _before(model: keras.Model, index: int) -> list[keras.Layer]:
    """The layers that `model.layers[index]` depends on, itself left out. In a chain those are simply the earlier ones."""
    target = model.layers[index]
    if isinstance(model, keras.Sequential) or not hasattr(model, "operations"):
        wanted = {id(layer) for layer in model.layers[:index]}
    else:
        wanted = set()
        open_nodes = [node for node in target._inbound_nodes if _inside(model, node)]
        while open_nodes:
            for parent in open_nodes.pop().parent_nodes:
                if id(parent.operation) not in wanted:
                    wanted.add(id(parent.operation))
                    open_nodes.append(parent)
    found = [layer for layer in model.layers if id(layer) in wanted]
    return [each for layer in found for each in (atoms(layer) if isinstance(layer, keras.Model) else [layer])]


def _inside(model: keras.Model, node) -> bool:
    """Whether a call of a layer belongs to this graph: a layer may be shared with others."""
    return any(node in nodes for nodes in model._nodes_by_depth.values())
