"""Run as a program with KERAS_BACKEND=torch: explain a saved Keras model with Captum and pytorch-grad-cam.

    python reference_maps.py FOLDER     reads model.keras and images.npy, writes maps.npz

Under the torch backend a Keras model is a torch module, so the references run on the very same layers and weights.
Both expect channels first, which a permutation around the explained map provides.
"""

# ruff: noqa: E402
import sys
from pathlib import Path

import torch

# torchvision, which pytorch-grad-cam imports, registers two compiled operators that its CPU-less builds lack
LIBRARY = torch.library.Library("torchvision", "DEF")
try:
    for name in ("nms", "qnms"):
        LIBRARY.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
except RuntimeError:
    pass

import keras
import numpy as np
from captum.attr import LayerGradCam, Saliency
from pytorch_grad_cam import GradCAM, GradCAMPlusPlus
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from zoo import explain


class ChannelsFirst(torch.nn.Module):
    """The Keras model as (b, c, h, w) -> logits, with `map` as the explained map, channels first."""

    def __init__(self, model, layer):
        super().__init__()
        middle = model.get_layer(layer).output
        self.features = keras.Model(model.input, middle)
        self.map = torch.nn.Identity()
        self.head = keras.Model(middle, model.output)

    def forward(self, x):
        maps = self.map(self.features(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
        return self.head(maps.permute(0, 2, 3, 1))


def main(folder: Path):
    model = keras.saving.load_model(folder / "model.keras")
    images, classes = np.load(folder / "images.npy"), np.load(folder / "classes.npy").tolist()
    module = ChannelsFirst(model, "explained").eval()
    x = torch.from_numpy(images).permute(0, 3, 1, 2)
    result = {
        "captum_gradcam": LayerGradCam(module, module.map).attribute(x, classes)[:, 0],
        "captum_saliency": Saliency(module).attribute(x.clone().requires_grad_(), classes).amax(1),
    }
    for name, method in {"gradcam": GradCAM, "gradcam_plus_plus": GradCAMPlusPlus}.items():
        targets = [ClassifierOutputTarget(index) for index in classes]
        with method(model=module, target_layers=[module.map]) as cam:
            final = cam(input_tensor=x, targets=targets)
            maps, gradients = (found[0].numpy() for found in (cam.activations_and_grads.activations, cam.activations_and_grads.gradients))
            raw = cam.get_cam_image(x, module.map, targets, maps, gradients)
        result |= {f"pgc_{name}": raw, f"pgc_{name}_final": final}
    for method in (explain.gradcam, explain.gradcam_plus_plus):
        result[f"torch_{method.__name__}"] = method(model, images, classes, layer="explained", resize=False, relu=False)
    result["torch_saliency"] = explain.saliency(model, images, classes)
    arrays = {name: array.detach().numpy() if isinstance(array, torch.Tensor) else array for name, array in result.items()}
    np.savez(folder / "maps.npz", **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
