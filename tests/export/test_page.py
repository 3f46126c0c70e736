"""docs/export.md: its programs run, and its table is what the code can do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from zoo import registry
from zoo.export import FORMATS, PRECISIONS, export
from zoo.export.agree import outputs
from zoo.export.check import AGREEMENT

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
PROGRAMS = dict(zip(["model.tflite", "model.onnx", "model.xml"], re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL), strict=True))
NEEDS = {"model.tflite": "ai_edge_litert", "model.onnx": "onnxruntime", "model.xml": "openvino"}

ALONE = """
import sys
for name in ("zoo", "keras", "tensorflow", "jax", "torch", "openvino_telemetry"):
    sys.modules[name] = None  # importing it raises ImportError
"""


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="written from the TensorFlow backend")
@pytest.mark.parametrize("file", PROGRAMS)
def test_the_program_runs_alone_and_gives_the_scores_of_keras(file, tmp_path):
    pytest.importorskip(NEEDS[file])
    model = registry.build_classifier("small_cnn_micro")
    images = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype("float32")
    np.save(tmp_path / "images.npy", images)
    export(model, tmp_path / file)
    code = f"{ALONE}\n{PROGRAMS[file]}\nnp.save('scores.npy', scores)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), outputs(model, images)[0], atol=1e-5)


def test_the_table_says_what_can_be_written():
    rows = re.findall(r"^\| `(\w+)` \| .*? \| (.*?) \| (.*?) \| (.*?) \|", PAGE, re.MULTILINE)
    assert [name for name, *_ in rows] == ["keras", "saved_model", "onnx", "litert", "openvino"]
    assert {name for name, *_ in rows} == set(FORMATS)
    for name, *cells in rows:
        written = tuple(p for p, cell in zip(("fp32", "fp16", "int8"), cells, strict=True) if cell != "-")
        assert written == tuple(p for p in PRECISIONS[name] if p != "dynamic")


def test_the_page_states_the_shares_that_are_asked_for():
    found = re.search(r"fp32 (\d+) %, fp16 (\d+) %, int8 (\d+) %", PAGE)
    assert found is not None
    assert [int(share) / 100 for share in found.groups()] == [AGREEMENT[precision] for precision in ("fp32", "fp16", "int8")]
