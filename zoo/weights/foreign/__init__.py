"""What other libraries call our layers: one file per family, and which of their networks each row must equal.

A family's file may define

    BGR          True where keras.applications trained on BGR images: the loader turns the first kernel round.
    REFERENCES   {row: (Reference, ...)}: the independent networks that `zoo verify` compares the row with.
    prepare(name, reference, images)
                 what a network of keras.applications must be given for images in [0, 255], where that is not simply its own
                 `preprocess_input`.
    IGNORED      shell patterns of their tensors that we leave out on purpose, such as auxiliary heads.
    applications(row), torch(row)
                 {our layer: (their names,)} for a row, first convolution first, or None where they have no such network.

A layer may have several names: torchvision and timm differ in the heads of VGG, and old releases of keras.applications
called the logits "probs". A key "layer/weight" names a single tensor instead, and its values are whole tensor names
("cls_token"). In files of keras.applications, "conv2d#3" is the fourth of all layers called conv2d or conv2d_N, by rising N:
Keras numbers unnamed layers through a whole process, so that only their order means anything; an unnamed weight of a named layer,
"variable_17", is "variable" here.
`zoo verify` and the tests hold each table complete in both directions against the libraries themselves.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass, field
from types import ModuleType

from zoo.weights.record import APPLICATIONS_H5


@dataclass(frozen=True)
class Reference:
    """A network of another library that computes what a row of ours computes.

    library: "keras" (keras.applications), "timm" or "torchvision".
    model:   its name there.
    options: further arguments of its builder.
    gate:    largest float64 difference that counts as equal, in units of the output's reaction to its input: 1e-9, or 1e-7 where
             the reference or a layer of Keras computes with a constant of float32.
    changes: fields of our row that differ, where the reference has the same weights and another arithmetic.
    fixed:   the reference's head takes its published size only: at other sizes the features are compared (keras.applications), or nothing.
    note:    what differs on purpose, in one sentence.
    """

    library: str
    model: str
    options: dict = field(default_factory=dict)
    gate: float = 1e-9
    changes: dict = field(default_factory=dict)
    fixed: bool = False
    note: str = ""


def module(family: str) -> ModuleType | None:
    """The file of a family, or None where no other library has it."""
    name = f"{__name__}.{family}"
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def table(family: str, row, format: str) -> dict[str, tuple[str, ...]]:
    """{our layer: their names} for a row, or ValueError when the other library has no such network or its names are not known here."""
    library, function = ("keras.applications", "applications") if format == APPLICATIONS_H5 else ("timm and torchvision", "torch")
    names = getattr(module(family), function, lambda row: None)(row)
    if names is None:
        raise ValueError(
            f"{library} have no network like this row of {family}, or their names for it are not known here; "
            "give a .weights.h5 of Keras 3, or an archive written by zoo.save_weights"
        )
    return names


def references(family: str, row: str) -> tuple[Reference, ...]:
    """The networks that the row called `row` must equal."""
    return getattr(module(family), "REFERENCES", {}).get(row, ())


def ignored(family: str) -> tuple[str, ...]:
    return getattr(module(family), "IGNORED", ())


def bgr(family: str) -> bool:
    return getattr(module(family), "BGR", False)


def positions(depths) -> list[tuple[int, int]]:
    """(stage, index) from 1, in order."""
    return [(stage, index) for stage, depth in enumerate(depths, start=1) for index in range(1, depth + 1)]
