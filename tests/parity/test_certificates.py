"""What `zoo verify` certified: the certificates in docs/certificates pass, speak of today's rows, and cover every family.

The fast tests read the files; the slow ones compare every row with every reference again, certified before or not.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest

from tests import references as libraries
from zoo import registry, verify
from zoo.verify import compare
from zoo.verify.certificate import Certificate, Size
from zoo.verify.images import difference, signal

FOLDER = Path(__file__).resolve().parent.parent.parent / "docs" / "certificates"
PAIRS = [(name, reference) for name in registry.rows() for reference in compare.references(name)]
EVERY_PAIR = pytest.mark.parametrize(("name", "reference"), PAIRS, ids=[f"{name}-{known.library}" for name, known in PAIRS])
CERTIFIED = [(name, known) for name, known in PAIRS if (FOLDER / f"{name}.{known.library}.json").is_file()]
on_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="Keras has true float64 on TensorFlow only")


def _require(library: str) -> None:
    """Its process of torch must find it; keras.applications is always there."""
    if library != "keras":
        libraries.require("torch", "torchvision", library)


def _stored(name, reference) -> Certificate:
    return Certificate.read(FOLDER / f"{name}.{reference.library}.json")


@pytest.mark.parametrize(("name", "reference"), CERTIFIED, ids=[f"{name}-{known.library}" for name, known in CERTIFIED])
def test_the_certificate_passes_and_speaks_of_todays_row(name, reference):
    certificate = _stored(name, reference)
    assert certificate.faults == []
    assert (certificate.model, certificate.reference, certificate.gate) == (name, reference.model, reference.gate)
    assert certificate.options == reference.options
    assert certificate.parameters == registry.row(name)[1].parameters
    assert [(size.height, size.width) for size in certificate.sizes] == compare.sizes_of(name, reference)
    assert all(size.static is not None for size in certificate.sizes)


def test_every_family_that_another_library_has_is_certified():
    """At least one row of each; docs/models.md says which rows are not compared yet."""
    families = {registry.row(name)[0].__name__ for name, _ in PAIRS}
    assert families == {registry.row(name)[0].__name__ for name, _ in CERTIFIED}


def test_there_is_no_certificate_of_something_else():
    assert {path.name for path in FOLDER.glob("*.json")} <= {f"{name}.{reference.library}.json" for name, reference in PAIRS}


def test_a_gate_is_1e_9_and_wider_only_where_a_float32_constant_is_known():
    assert {reference.gate for _, reference in PAIRS} <= {1e-9, 1e-7}


@on_tensorflow
@pytest.mark.slow
@EVERY_PAIR
def test_the_certificate_can_be_made_again(name, reference):
    _require(reference.library)
    (certificate,) = [made for made in verify.verify(name, reference.library) if made.reference == reference.model]
    assert certificate.faults == []


# --- one training step, for one row of every family and library


def _smallest() -> list:
    chosen = {}
    for name, reference in PAIRS:
        key = registry.row(name)[0].__name__, reference.library
        if key not in chosen or registry.row(name)[1].parameters < registry.row(chosen[key][0])[1].parameters:
            chosen[key] = (name, reference)
    return list(chosen.values())


@on_tensorflow
@pytest.mark.parametrize(
    ("name", "reference"),
    [
        pair if pair[0] == "resnet18" and pair[1].library == "torchvision" else pytest.param(*pair, marks=pytest.mark.slow)
        for pair in _smallest()
    ],
    ids=[f"{name}-{known.library}" for name, known in _smallest()],
)
def test_one_training_step_moves_weights_and_statistics_as_the_reference_does(name, reference):
    """Catches a momentum taken over from torch, a statistic that does not move, and a gradient that goes another way."""
    _require(reference.library)
    height, width = registry.row(name)[1].input_shape[:2]
    sizes = [(height, width)] if reference.fixed else [compare._step_size(name, reference)]
    (certificate,) = [
        made
        for made in verify.verify(name, reference.library, sizes=sizes, training=True, static=False)
        if made.reference == reference.model
    ]
    assert certificate.step <= Certificate.STEP
    assert certificate.faults == []


# --- the instrument itself: it must see what it is there to see


@on_tensorflow
@pytest.mark.parametrize(
    ("changes", "fault"),
    [({"v1": True}, "is published with"), ({"momentum": 0.1}, "one training step differs"), ({"same": True}, "float64 differs")],
)
def test_a_wrong_network_gets_no_certificate(changes, fault, monkeypatch):
    """The mistakes that other zoos ship: another version's structure, torch's momentum, Keras' "same" where torch pads both sides."""
    _require("torchvision")
    if "momentum" in changes:

        class Wrong(keras.layers.BatchNormalization):
            def __init__(self, **fields):
                super().__init__(**{**fields, "momentum": 0.1})

        monkeypatch.setattr("zoo.backbones.resnet.layers.BatchNormalization", Wrong)
    if "same" in changes:
        _use_same_padding(monkeypatch)
    if "v1" in changes:
        with pytest.raises(ValueError, match=fault):
            compare._certificate("resnet50_v1", dataclasses.replace(compare.references("resnet50")[0]), [(64, 64)], False, False)
        return
    (certificate,) = verify.verify("resnet18", "torchvision", sizes=[(64, 64)], training=True, static=False)
    assert any(fault in found for found in certificate.faults), certificate.faults


def _use_same_padding(monkeypatch):
    """ZeroPadding2D does nothing, and every strided convolution after it says "same": equal at odd sizes, wrong at even ones."""
    from keras import layers

    convolution, pad = layers.Conv2D, layers.Identity
    monkeypatch.setattr("zoo.backbones.resnet.layers.ZeroPadding2D", lambda size, name: pad(name=name))
    monkeypatch.setattr("zoo.backbones.resnet.layers.Conv2D", lambda *args, **fields: convolution(*args, **{**fields, "padding": "same"}))


def test_a_dead_reference_is_no_witness():
    with pytest.raises(ValueError, match="dead"):
        signal(np.ones((2, 10)) + 1e-9 * np.arange(20).reshape(2, 10))
    with pytest.raises(ValueError, match="not finite"):
        signal(np.array([[1.0], [np.nan]]))


def test_differences_are_in_units_of_the_signal():
    theirs = np.array([[0.0, 0.0], [2.0, 4.0]])
    assert difference(theirs + [[0.0, 0.3], [0.0, 0.0]], theirs) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="shapes differ"):
        difference(theirs[:, :1], theirs)


FINE = Certificate(
    model="a",
    library="timm",
    reference="b",
    version="1",
    parameters=1,
    compared="logits",
    gate=1e-9,
    sizes=(Size(height=8, width=8, dynamic=1e-12, static=1e-13, argmax=True),),
    float32=4e-5,
    floor=1e-5,
)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"sizes": (Size(height=8, width=8, dynamic=1e-12, static=1e-8, argmax=True),)}, "float64 differs by 1e-08 at 8x8"),
        ({"sizes": (Size(height=8, width=8, dynamic=float("nan"), static=None, argmax=True),)}, "float64 differs"),
        ({"sizes": (Size(height=8, width=8, dynamic=0.0, static=0.0, argmax=False),)}, "another one"),
        ({"float32": 6e-5}, "more than 5 times the floor"),
        ({"float32": float("nan")}, "more than 5 times the floor"),
        ({"step": 1e-3}, "one training step"),
    ],
)
def test_what_fails_a_certificate(change, fault, tmp_path):
    assert FINE.passed
    failed = dataclasses.replace(FINE, **change)
    assert not failed.passed
    assert fault in str(failed)
    assert Certificate.read(FINE.write(tmp_path)) == FINE


@pytest.mark.parametrize(("name", "reference"), [("lenet5", None), ("resnet50", "keras")])
def test_a_row_without_such_a_reference_says_so(name, reference):
    with pytest.raises(ValueError, match="has no reference|true float64"):
        verify.verify(name, reference)
