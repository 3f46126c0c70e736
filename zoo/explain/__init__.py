"""Why did the model say that? (model, images, target) -> heat as numpy (b, h, w), for any Keras model on any backend."""

from zoo.explain.cam import feature_maps, gradcam, gradcam_plus_plus
from zoo.explain.images import normalise_heat, resize_heat
from zoo.explain.measure import mass_inside
from zoo.explain.places import default_layer, map_layers
from zoo.explain.saliency import saliency
from zoo.explain.session import forget
from zoo.explain.targets import ClassScore

__all__ = [
    "ClassScore",
    "default_layer",
    "feature_maps",
    "forget",
    "gradcam",
    "gradcam_plus_plus",
    "map_layers",
    "mass_inside",
    "normalise_heat",
    "resize_heat",
    "saliency",
]
