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
from captum import metrics
from captum.attr import InputXGradient, IntegratedGradients, LayerGradCam, NoiseTunnel, Occlusion, Saliency
from pytorch_grad_cam import EigenCAM, GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, ScoreCAM
from pytorch_grad_cam.guided_backprop import GuidedBackpropReLU
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from zoo import explain
from zoo.explain.robustness import grey_noise

CAMS = {
    "eigencam": EigenCAM,
    "gradcam": GradCAM,
    "gradcam_plus_plus": GradCAMPlusPlus,
    "hirescam": HiResCAM,
    "layercam": LayerCAM,
    "scorecam": ScoreCAM,
}
OCCLUSIONS = {"overlapping": ((9, 12), (5, 4)), "cut_off": ((10, 10), (10, 10))}
"""Name -> (window, stride) on 48 x 48 pixels; the last windows reach beyond the image."""

# pytorch-grad-cam enlarges Score-CAM's masks with aligned corners; half-pixel centres, which it uses for its maps, are ours too
torch.nn.UpsamplingBilinear2d = lambda size: torch.nn.Upsample(size=size, mode="bilinear", align_corners=False)


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
    for name, (window, stride) in OCCLUSIONS.items():
        attribution = Occlusion(module).attribute(x, (3, *window), (3, *stride), baselines=127.5, target=classes, perturbations_per_eval=8)
        result[f"captum_occlusion_{name}"] = attribution[:, 0]
        result[f"torch_occlusion_{name}"] = explain.occlusion(model, images, classes, window=window, stride=stride)
    for name, method in CAMS.items():
        targets = [ClassifierOutputTarget(index) for index in classes]
        with method(model=module, target_layers=[module.map]) as cam:
            final = cam(input_tensor=x, targets=targets)
            found = cam.activations_and_grads
            maps, gradients = found.activations[0].numpy(), found.gradients[0].numpy() if found.gradients else None
            raw = cam.get_cam_image(x, module.map, targets, maps, gradients, eigen_smooth=False)
        result |= {f"pgc_{name}": raw, f"pgc_{name}_final": final}
    result |= captum_metrics(module, x, classes)
    for name in CAMS:
        options = {"fill": 0} if name == "scorecam" else {}
        result[f"torch_{name}"] = getattr(explain, name)(model, images, classes, layer="explained", resize=False, relu=False, **options)
    result["torch_saliency"] = explain.saliency(model, images, classes)
    result |= gradient_maps(folder, model, module, images, classes)
    arrays = {name: array.detach().numpy() if isinstance(array, torch.Tensor) else array for name, array in result.items()}
    np.savez(folder / "maps.npz", **arrays)


def captum_metrics(module, x, classes):
    """Captum's infidelity of the gradient and sensitivity of the saliency, under the noise that zoo.explain draws from its seed."""
    gradient = Saliency(module).attribute(x.clone().requires_grad_(), classes, abs=False).sum(1, keepdim=True)
    noise = np.stack([grey_noise(tuple(x.shape[2:]), 5.0, 20, (0, number)) for number in range(len(x))])  # (b, 20, h, w)
    noise = torch.from_numpy(noise).float().flatten(0, 1)[:, None].expand(-1, 3, -1, -1)
    random = np.random.default_rng(0)
    moves = [random.uniform(-2, 2, x.permute(0, 2, 3, 1).shape) for _ in range(6)]
    moves = torch.from_numpy(np.stack(moves, axis=1)).float().flatten(0, 1).permute(0, 3, 1, 2)
    share = gradient.expand(-1, 3, -1, -1) / 3  # the same grey noise in every channel meets their sum

    def saliency(inputs, target):
        inputs = inputs[0] if isinstance(inputs, tuple) else inputs
        return (Saliency(module).attribute(inputs.clone().requires_grad_(), target).amax(1, keepdim=True),)

    def infidelity(normalize):
        return metrics.infidelity(module, lambda inputs: (noise, inputs - noise), x, share, None, None, classes, 20, None, normalize)

    sensitivity = metrics.sensitivity_max(saliency, x, lambda inputs: inputs + moves, n_perturb_samples=6, target=classes)
    return {
        "captum_grey_gradient": gradient[:, 0],
        "captum_infidelity": infidelity(False),
        "captum_infidelity_normalised": infidelity(True),
        "captum_sensitivity": sensitivity,
    }


def gradient_maps(folder, model, module, images, classes):
    """(b, h, w, c) of Captum and of ours on torch, and the guided gradient by pytorch-grad-cam's ReLU in the same Keras model."""
    x = torch.from_numpy(images).permute(0, 3, 1, 2).requires_grad_(True)
    noise = torch.from_numpy(np.load(folder / "noise.npy")).permute(0, 3, 1, 2)  # copies of the first image, then of the second
    tunnel, drawn = NoiseTunnel(Saliency(module)), torch.normal
    options = {"nt_samples": len(noise) // len(images), "target": classes, "abs": False}
    torch.normal = lambda *_: noise  # Captum can not be given its noise otherwise
    result = {
        "captum_smoothgrad": tunnel.attribute(x, nt_type="smoothgrad", **options),
        "captum_vargrad": tunnel.attribute(x, nt_type="vargrad", **options),
    }
    torch.normal = drawn
    result["captum_gradient"] = Saliency(module).attribute(x, classes, abs=False)
    result["captum_input_x_gradient"] = InputXGradient(module).attribute(x, classes)
    result["captum_integrated_gradients"] = IntegratedGradients(module).attribute(x, 0, classes, n_steps=50, method="gausslegendre")
    guided = keras.saving.load_model(folder / "model.keras")
    for layer in guided.layers:
        if getattr(layer, "activation", None) is keras.activations.relu:
            layer.activation = GuidedBackpropReLU.apply
    result["pgc_guided_backprop"] = Saliency(ChannelsFirst(guided, "explained").eval()).attribute(x, classes, abs=False)
    result = {name: tensor.detach().permute(0, 2, 3, 1) for name, tensor in result.items()}
    samples = {"samples": options["nt_samples"], "noise": 0.1, "seed": 5}
    for name, extra in {"gradient": {}, "input_x_gradient": {}, "guided_backprop": {}, "smoothgrad": samples, "vargrad": samples}.items():
        result[f"torch_{name}"] = getattr(explain, name)(model, images, classes, channels="keep", **extra)
    result["torch_integrated_gradients"] = explain.integrated_gradients(model, images, classes, channels="keep").heat
    return result


if __name__ == "__main__":
    main(Path(sys.argv[1]))
