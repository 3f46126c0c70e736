"""Why did the model say that? (model, images, target) -> heat as numpy (b, h, w), for any Keras model on any backend."""

from zoo.explain.baselines import centre_map, random_map, sobel_map
from zoo.explain.boxes import BoxScore
from zoo.explain.cam import eigencam, feature_maps, gradcam, gradcam_plus_plus, hirescam, layercam
from zoo.explain.channel import Channel
from zoo.explain.compare import Contrast, Similarity
from zoo.explain.concepts import Centroids, centroid_distances, concept_map
from zoo.explain.cost import Cost, estimate
from zoo.explain.curves import Curve, deletion, insertion
from zoo.explain.duplicates import near_duplicates
from zoo.explain.features import features
from zoo.explain.filters import Filters, first_filters
from zoo.explain.gradient import gradient, input_x_gradient
from zoo.explain.guided import guided_backprop
from zoo.explain.images import normalise_heat, resize_heat
from zoo.explain.integrate import Attribution, integrated_gradients
from zoo.explain.league import judge
from zoo.explain.maximise import Maximised, maximise
from zoo.explain.measure import mass_inside, pointing, similarity
from zoo.explain.methods import METHODS
from zoo.explain.neighbours import Neighbour, SimilarityIndex
from zoo.explain.noise import smoothgrad, vargrad
from zoo.explain.occlusion import occlusion
from zoo.explain.panel import TrustPanel
from zoo.explain.places import default_layer, map_layers
from zoo.explain.randomisation import Randomised, randomisation
from zoo.explain.receptive_field import ReceptiveField, receptive_field
from zoo.explain.regions import Pixel, Region
from zoo.explain.registration import hottest_field, place_heat, placement_of
from zoo.explain.rise import rise
from zoo.explain.robustness import infidelity, max_sensitivity
from zoo.explain.saliency import saliency
from zoo.explain.score_cam import scorecam
from zoo.explain.session import forget
from zoo.explain.targets import ClassScore
from zoo.explain.trust import trust_panel
from zoo.explain.words import WordScore

__all__ = [
    "Attribution",
    "BoxScore",
    "Centroids",
    "Channel",
    "ClassScore",
    "Contrast",
    "Cost",
    "Curve",
    "Filters",
    "METHODS",
    "Maximised",
    "Neighbour",
    "Pixel",
    "Randomised",
    "ReceptiveField",
    "Region",
    "Similarity",
    "SimilarityIndex",
    "TrustPanel",
    "WordScore",
    "centre_map",
    "centroid_distances",
    "concept_map",
    "default_layer",
    "deletion",
    "eigencam",
    "estimate",
    "feature_maps",
    "features",
    "first_filters",
    "forget",
    "gradcam",
    "gradcam_plus_plus",
    "gradient",
    "guided_backprop",
    "hirescam",
    "hottest_field",
    "infidelity",
    "input_x_gradient",
    "insertion",
    "integrated_gradients",
    "judge",
    "layercam",
    "map_layers",
    "mass_inside",
    "max_sensitivity",
    "maximise",
    "near_duplicates",
    "normalise_heat",
    "occlusion",
    "place_heat",
    "placement_of",
    "pointing",
    "random_map",
    "randomisation",
    "receptive_field",
    "resize_heat",
    "rise",
    "saliency",
    "scorecam",
    "similarity",
    "smoothgrad",
    "sobel_map",
    "trust_panel",
    "vargrad",
]
