"""What a network is made of and what it costs, counted from its graph: no image is run.

from zoo import anatomy, backbone, classifier
found = anatomy.measure(classifier("resnet50"), anatomy.levels(backbone("resnet50")))
found.multiply_adds, found.activations, found.levels["c5"].field
"""

from zoo.anatomy.measure import Anatomy, Part, Stage, levels, measure
from zoo.anatomy.work import multiply_adds
from zoo.explain.window import View

__all__ = ["Anatomy", "Part", "Stage", "View", "levels", "measure", "multiply_adds"]
