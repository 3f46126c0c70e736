"""Arrays -> pictures, with matplotlib and Pillow. Numpy in, a matplotlib Figure or an uint8 image out; never Keras.

Figures are made by matplotlib's object-oriented interface: nothing is global, nothing leaks, threads are safe.
`run.figure(name, figure)` saves one; in a notebook, display(figure) shows it.
"""

from zoo.viz import anatomy
from zoo.viz.charts import bars, class_counts, history, lr_sweep, reliability
from zoo.viz.effects import stacked, waterfall
from zoo.viz.exports import exports
from zoo.viz.gallery import augmentations, explanations, feature_maps, images, neighbours
from zoo.viz.league import cascade, league
from zoo.viz.matrices import co_occurrence, confusion, distances
from zoo.viz.outline import outlined
from zoo.viz.paint import heat, overlay, png, readable
from zoo.viz.space import embedding
from zoo.viz.trade import pareto
from zoo.viz.trust import trust

__all__ = [
    "anatomy",
    "augmentations",
    "bars",
    "cascade",
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
    "league",
    "lr_sweep",
    "neighbours",
    "outlined",
    "overlay",
    "pareto",
    "png",
    "readable",
    "reliability",
    "stacked",
    "trust",
    "waterfall",
]
