"""Files of keras.applications whose layers have been renamed since they were saved, some with slashes in their names."""

from __future__ import annotations

import h5py
import keras
import numpy as np
import pytest

import zoo
from zoo import registry
from zoo.weights import foreign
from zoo.weights.record import APPLICATIONS_H5
from zoo.weights.tree import tree

pytestmark = pytest.mark.backend


def _saved(model, family: str, row: str, which: int, path) -> None:
    """As Keras 2 wrote it: a group per layer, which holds its tensors under the layer's name once more."""
    table = foreign.table(family, registry.row(row)[1], APPLICATIONS_H5)
    with h5py.File(path, "w") as file:
        theirs = {ours: names[min(which, len(names) - 1)] for ours, names in table.items()}
        file.attrs["layer_names"] = [name.encode() for name in theirs.values()]
        for ours, name in theirs.items():
            group = file.require_group(name)
            weights = {path: variable for path, variable in tree(model).items() if path.rpartition("/")[0] == ours}
            group.attrs["weight_names"] = [f"{name}/{path.rpartition('/')[2]}:0".encode() for path in weights]
            for path, variable in weights.items():
                value = keras.ops.convert_to_numpy(variable)
                if ours in ("fc1", "logits") and value.ndim == 2 and family != "mobilenet_v2":
                    value = value[None, None]  # the heads are 1x1 convolutions there
                group.create_dataset(f"{name}/{path.rpartition('/')[2]}:0", data=value)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("family", ["mobilenet", "mobilenet_v2", "mobilenet_v3"])
def test_old_and_new_names_fill_the_same_layers(family, which, tmp_path):
    row = f"{family}_micro"
    source = registry.build_classifier(row)
    _saved(source, family, row, which, tmp_path / "a.h5")
    filled = zoo.classifier(row, weights=tmp_path / "a.h5")
    for left, right in zip(source.get_weights(), filled.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def test_the_old_names_are_those_of_the_code_of_their_time():
    """keras-applications 1.0 (MobileNetV2) and Keras 2.4 (MobileNetV3)."""
    second = {
        name for names in foreign.table("mobilenet_v2", registry.row("mobilenet_v2")[1], APPLICATIONS_H5).values() for name in names[1:]
    }
    assert {"mobl0_conv_0_depthwise", "bn16_conv_16_bn_project", "Logits"} <= second
    third = {
        name for names in foreign.table("mobilenet_v3", registry.row("mobilenet_v3_large")[1], APPLICATIONS_H5).values() for name in names
    }
    assert {"Conv/BatchNorm", "expanded_conv/depthwise", "expanded_conv_14/squeeze_excite/Conv_1", "Conv_2", "Logits"} <= third
