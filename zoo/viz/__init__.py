"""Arrays -> pictures, with matplotlib and Pillow. Numpy in, a matplotlib Figure or an uint8 image out; never Keras.

Figures are made by matplotlib's object-oriented interface: nothing is global, nothing leaks, threads are safe.
`run.figure(name, figure)` saves one; in a notebook, display(figure) shows it.
"""

from zoo.viz import anatomy
from zoo.viz.charts import bars, class_counts, history, lr_sweep, reliability
from zoo.viz.effects import stacked, waterfall
from zoo.viz.exports import exports
from zoo.viz.gallery import augmentations, explanations, feature_maps, images, neighbours
from zoo.viz.matrices import co_occurrence, confusion, distances
from zoo.viz.paint import heat, overlay
from zoo.viz.space import embedding
from zoo.viz.trade import pareto

__all__ = [
    "anatomy",
    "augmentations",
    "bars",
    "class_counts",
    "co_occurrence",
    "confusion",
    "distances",
    "embedding",
    "explanations",
    "exports",
    "feature_maps",
    "heat",
    "history",
    "images",
    "lr_sweep",
    "neighbours",
    "overlay",
    "pareto",
    "reliability",
    "stacked",
    "waterfall",
]
