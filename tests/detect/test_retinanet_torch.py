"""Our RetinaNet is torchvision's: its state dict with random weights through our loader, and the same logits and deltas at odd sizes.

torchvision's boxes are its own anchors and deltas decoded; what it does afterwards (clipping, suppression) is not compared here.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from tests.references import difference
from zoo.detect import published
from zoo.detect.rows import row

pytestmark = pytest.mark.slow
SIZES = ((64, 64), (97, 75))

TORCH = '''
import json, sys
import numpy as np
from zoo.verify.torch_side import library, randomise, save, tensor
from zoo.verify.images import smooth_images
import torch

case = json.loads(sys.argv[1])
torch.set_num_threads(1)
models = library("torchvision").models.detection
model = models.retinanet_resnet50_fpn(weights=None, weights_backbone=None, num_classes=case["classes"])

class Maps(torch.nn.Module):
    """Backbone and head, without the transform, the anchors and the suppression."""
    def __init__(self):
        super().__init__()
        self.backbone, self.head = model.backbone, model.head
    def forward(self, x):
        return self.head(list(self.backbone(x).values()))

mean, std = np.array(case["mean"]), np.array(case["std"])
maps = randomise(Maps(), (smooth_images(2, 96, 96) - mean) / std)
answers = {"parameters": np.array(sum(p.numel() for p in model.parameters()))}
from pathlib import Path
save(maps, Path(case["folder"]) / "weights.safetensors")
with torch.no_grad():
    for height, width in case["sizes"]:
        images = smooth_images(2, height, width, seed=1)
        x = tensor((images - mean) / std)
        found = maps(x)
        answers[f"scores_{height}x{width}"] = found["cls_logits"].numpy()
        answers[f"deltas_{height}x{width}"] = found["bbox_regression"].numpy()
        features = list(model.backbone(x).values())
        holder = models.image_list.ImageList(x, [(height, width)] * 2)
        anchors = model.anchor_generator(holder, features)
        answers[f"boxes_{height}x{width}"] = np.stack(
            [model.box_coder.decode_single(d.float(), a).numpy() for d, a in zip(found["bbox_regression"], anchors)]
        )
np.savez(Path(case["folder"]) / "answers.npz", **answers)
'''


def _reference(folder: Path) -> dict:
    found = row("retinanet_resnet50_fpn_p5")
    case = {"folder": str(folder), "sizes": SIZES, "classes": 5, "mean": found.mean, "std": found.std}
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", TORCH, json.dumps(case)], cwd=root, check=True, capture_output=True, text=True)
    return dict(np.load(folder / "answers.npz"))


def test_torchvisions_weights_give_torchvisions_answers(tmp_path):
    if not all(map(importlib.util.find_spec, ("torch", "torchvision"))):
        pytest.skip("torch and torchvision are not installed")
    from zoo.verify.images import smooth_images

    answers = _reference(tmp_path)
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    for height, width in SIZES:
        model = zoo.detector(
            "retinanet_resnet50_fpn_p5", classes=5, input_shape=(height, width, 3), weights=tmp_path / "weights.safetensors"
        )
        assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == answers["parameters"]
        out = model(smooth_images(2, height, width, seed=1), training=False)
        for key in ("scores", "deltas"):
            assert difference(keras.ops.convert_to_numpy(out[key]), answers[f"{key}_{height}x{width}"]) <= 1e-9, (key, height, width)
        boxes = keras.ops.convert_to_numpy(out["boxes"])
        # ours are float32: decoded sides reach 62.5 times an anchor of 813 pixels, where one rounding is 4e-3
        np.testing.assert_allclose(boxes, answers[f"boxes_{height}x{width}"], rtol=1e-4, atol=1e-2)


def test_old_names_of_torchvision_mean_the_same_layers():
    """The published file is older than the library: its heads number convolutions and ReLUs together, its pyramid has one level less."""
    names = published.torch_names(row("retinanet_resnet50_fpn_p5"))
    assert names["class_conv3"] == ("head.classification_head.conv.3.0", "head.classification_head.conv.6")
    assert names["fpn_lateral5"] == ("backbone.fpn.inner_blocks.2.0", "backbone.fpn.inner_blocks.2")
    flat = [theirs for found in names.values() for theirs in found]
    assert len(set(flat)) == len(flat)
    layers = {layer.name for layer in zoo.detector("retinanet_resnet50_fpn_p5", input_shape=(64, 64, 3)).layers if layer.weights}
    assert set(names) == layers
