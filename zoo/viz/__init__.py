"""Arrays -> pictures, with matplotlib and Pillow. Numpy in, a matplotlib Figure or an uint8 image out; never Keras.

Figures are made by matplotlib's object-oriented interface: nothing is global, nothing leaks, threads are safe.
`run.figure(name, figure)` saves one; in a notebook, display(figure) shows it.
"""

from zoo.viz import anatomy
from zoo.viz.charts import bars, class_counts, history, lr_sweep, reliability
from zoo.viz.detection import by_size, confidence_curves, detection_confusion, error_breakdown, precision_recall
from zoo.viz.effects import stacked, waterfall
from zoo.viz.exports import exports
from zoo.viz.gallery import augmentations, explanations, feature_maps, images, neighbours
from zoo.viz.league import cascade, league
from zoo.viz.marks import captioned, marked
from zoo.viz.matrices import co_occurrence, confusion, distances
from zoo.viz.objects import objects
from zoo.viz.outline import outlined
from zoo.viz.paint import heat, overlay, png, readable
from zoo.viz.sizes import object_sizes
from zoo.viz.space import embedding
from zoo.viz.tracks import tracks
from zoo.viz.trade import pareto
from zoo.viz.trust import trust

__all__ = [
    "anatomy",
    "augmentations",
    "bars",
    "captioned",
    "by_size",
    "cascade",
    "class_counts",
    "co_occurrence",
    "confidence_curves",
    "confusion",
    "detection_confusion",
    "distances",
    "embedding",
    "error_breakdown",
    "explanations",
    "exports",
    "feature_maps",
    "heat",
    "history",
    "images",
    "league",
    "lr_sweep",
    "marked",
    "neighbours",
    "object_sizes",
    "objects",
    "outlined",
    "overlay",
    "pareto",
    "png",
    "precision_recall",
    "readable",
    "reliability",
    "stacked",
    "tracks",
    "trust",
    "waterfall",
]
