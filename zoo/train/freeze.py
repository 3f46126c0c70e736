"""Freeze the lower part of a network, hold its batch statistics, and let it go again stage by stage.

    freeze(model, until="c3")            # levels c1 to c3 keep their weights, all batch normalisation its statistics
    freeze(detector, until="neck")       # all but the head
    fit(model, data, recipe, run)        # compiles, so the change counts
    thaw(model)                          # the deepest frozen stage learns too
    print(trainable_report(model))

What goes wrong without it in Keras 3.15, measured on three backends:
`base(x, training=False)` in a functional model no longer holds batch normalisation once `base.trainable = True`, because the outer
call's `training` wins; and what `trainable` says is read when `compile` is called: a later change is ignored in silence on TensorFlow.
So a batch normalisation is held by its own `trainable = False`, which Keras takes as "use the stored statistics" in every call, and a
model that was compiled before must be compiled again.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence

import keras

from zoo.train.stages import atoms, backbone_of, levels_of, needed
from zoo.train.stages import stages as stages_of

MODES = ("inference", "train")


class Pin(keras.Layer):
    """The last child of a frozen model. Keras hands `model.trainable = True` down to its children, and this one freezes them again.

    It has no weights, is no part of the graph and is not saved: after `load_model` the layers are frozen as they were, but call `freeze`
    again before you switch the whole model.
    """

    def __init__(self, frozen: Iterable[keras.Layer], bn: str):
        super().__init__(name="pin", dtype="float32")
        kept = tuple(frozen)
        self._frozen = lambda: kept  # a function, for Keras would take a tuple of layers as children
        self.bn = bn
        self.built = True

    @property
    def trainable(self):
        """Neither True nor False: TensorFlow leaves out an assignment of what a property already is."""
        return None

    @trainable.setter
    def trainable(self, value):
        for layer in self._frozen():
            layer.trainable = False


Levels = Mapping[str, str | Sequence[str]]


def freeze(model: keras.Model, until: str | int | None = "backbone", bn: str = "inference", levels: Levels | None = None) -> int:
    """Freeze the layers from the image up to `until`; the rest is set to train. Returns the number of frozen parameters.

    until:  a level of the pyramid ("c3") of a zoo model, the name of a layer (with all it depends on; also one inside a model used as
            a layer), "backbone" for all before neck and head, "neck" of a detector for all but the head, the number of stages from
            the image on (as `zoo.train.trainable_report` lists them), or None for no layer.
    bn:     "inference": every batch normalisation of the backbone keeps its statistics, and its gamma and beta, also where the weights
            around it learn. Right for small batches and little data. "train": they all learn, in the frozen part too.
    levels: {"c1": layer name, ...} as `zoo.anatomy.levels(zoo.backbone(ROW))` gives, for a zoo model with a name of its own.

    It survives `model.trainable = True`, of the model or of a model inside it, compiling again, saving and loading. What you say to one
    layer (`layer.trainable = True`) counts. Dropout and random changes of the image stay switched on in frozen layers.

    `compile` is taken back, here and in `thaw` and `unfreeze`, so that training without a new one raises instead of ignoring the
    change. `zoo.train.fit` compiles itself. Raises ValueError for an unknown level, layer or mode; warns (UserWarning) when the model
    was compiled before.
    """
    if bn not in MODES:
        raise ValueError(f"bn must be one of {', '.join(MODES)}, got {bn!r}")
    if model.compiled:
        message = f"{model.name} was compiled before it was frozen: call compile again with a new optimiser (zoo.train.fit does)"
        warnings.warn(message, UserWarning, stacklevel=2)
    levels = levels_of(model) if levels is None else levels
    frozen = {} if until is None else {id(layer): layer for layer in _until(model, until, levels)}
    norms = [layer for atom in atoms(model) for layer in atom._flatten_layers() if _is_norm(layer)]
    learning = []
    if bn == "inference":
        backbone = backbone_of(model, levels)
        inside = None if backbone is None else {id(layer) for atom in backbone for layer in atom._flatten_layers()}
        frozen |= {id(layer): layer for layer in norms if inside is None or id(layer) in inside}
    else:
        learning = norms
        frozen = {key: layer for key, layer in frozen.items() if not _is_norm(layer)}
    _apply(model, list(frozen.values()), learning, bn)
    held = {id(weight): math.prod(weight.shape) for layer in frozen.values() for weight in layer.weights}
    return sum(held.values())


def unfreeze(model: keras.Model) -> None:
    """Every layer learns, batch normalisation too; nothing of `freeze` is left."""
    for each in _models(model):
        _unpin(each)
    _set(model, [])
    model.compiled = False  # training now raises until it is compiled anew; Keras itself would ignore the change on TensorFlow


def thaw(model: keras.Model, stages: int = 1, levels: Levels | None = None) -> list[str]:
    """Let the frozen stages nearest to the output learn, as many as `stages` says: gradual unfreezing (Howard & Ruder 2018,
    arXiv:1801.06146, section 3.3). Returns their names in the order in which they run; an empty list when nothing was frozen any more.

    Batch normalisation stays as `freeze` set it; a stage counts as frozen while any other layer of it is. levels: as in `freeze`.
    """
    if stages < 1:
        raise ValueError(f"wanted the number of stages to let go, at least 1, got {stages}")
    pin = next((layer for layer in reversed(_host(model)._layers) if isinstance(layer, Pin)), None)
    bn = pin.bn if pin else "inference"

    def melts(layer) -> bool:
        return _is_frozen(layer) and not (_is_norm(layer) and bn == "inference")

    parts = {name: [layer for atom in own for layer in atom._flatten_layers()] for name, own in stages_of(model, levels).items()}
    chosen = [name for name, own in parts.items() if any(melts(layer) for layer in own)][-stages:]
    let_go = {id(layer) for name in chosen for layer in parts[name] if melts(layer)}
    frozen = [layer for atom in atoms(model) for layer in atom._flatten_layers() if _is_frozen(layer) and id(layer) not in let_go]
    _apply(model, frozen, [], bn)
    return chosen


def _until(model, until: str | int, levels: Levels) -> list[keras.Layer]:
    if isinstance(until, int):
        every = list(stages_of(model, levels).values())
        if isinstance(until, bool) or not 0 <= until <= len(every):
            raise ValueError(f"until={until!r} as a number counts stages from the image on; {model.name} has {len(every)}")
        return [layer for own in every[:until] for layer in own]
    if until == "backbone":
        found = backbone_of(model, levels)
        if found is None:
            raise ValueError(
                f"{model.name} has no global pooling or Flatten that would end a backbone; "
                "say until=NAME with the name of its last layer to freeze"
            )
        return found
    if until in levels:
        parts, names = stages_of(model, levels), list(levels)
        return [layer for name in names[: names.index(until) + 1] for layer in parts[name]]
    try:
        return needed(model, until)
    except ValueError as error:
        known = f"a level ({', '.join(levels)})" if levels else "a level (the model does not carry the name of a row; give levels=...)"
        raise ValueError(f"until={until!r} is neither {known} nor a layer: {error}") from error


def _apply(model, frozen: list[keras.Layer], learning: list[keras.Layer], bn: str) -> None:
    before = {id(layer) for layer in frozen}
    for each in _models(model):
        _unpin(each)
    _set(model, frozen)
    for layer in learning:
        layer.trainable = True
    for each in _models(model):
        own = [layer for layer in each._flatten_layers(include_self=False) if id(layer) in before]
        _host(each)._layers.append(Pin(own, bn))
    model.compiled = False  # training now raises until it is compiled anew; Keras itself would ignore the change on TensorFlow


def _set(model, frozen: list[keras.Layer]) -> None:
    """Everything learns but `frozen`. Containers come first, for each hands its switch down; TensorFlow hands down changes only."""
    for layer in model._flatten_layers():
        if not isinstance(layer, Pin):
            layer.trainable = True
    for layer in frozen:
        layer.trainable = False


def _models(model) -> list[keras.Model]:
    return [layer for layer in model._flatten_layers() if isinstance(layer, keras.Model) and layer.layers]


def _host(model) -> keras.Layer:
    """Whose child the pin is. The children of a Sequential are its graph, so there the last layer carries it."""
    return model.layers[-1] if isinstance(model, keras.Sequential) else model


def _unpin(model) -> None:
    host = _host(model)
    host._layers[:] = [layer for layer in host._layers if not isinstance(layer, Pin)]


def _is_norm(layer) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization)


def _is_frozen(layer) -> bool:
    return not isinstance(layer, Pin) and bool(layer.weights) and layer.trainable is False
