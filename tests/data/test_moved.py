"""The experiment on one cause: only the surface changes."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_erosion

from zoo.data.scenes import CLASSES, HOME, Scenes, moved, render, specify

CONFIG = Scenes(size=32, train=1, validation=1, test=40, counter=1, seed=3)


def test_the_surface_is_another_and_never_the_objects_home():
    elsewhere = moved(CONFIG, "test")
    assert len(elsewhere) == 40
    for index, (label, home, surface) in enumerate(
        zip(elsewhere.labels, elsewhere.attributes["home"], elsewhere.attributes["background"], strict=True)
    ):
        scene = specify(index, CONFIG, "test")
        assert label == scene.label
        assert home != label
        assert surface == HOME[CLASSES[home]]
        assert surface != scene.background


def test_the_object_stays_where_it_was_with_its_colours():
    """With full contrast the colours of an object do not depend on the surface: inside the mask hardly a pixel changes."""
    config = Scenes(size=64, train=1, validation=1, test=12, counter=1, contrast=(1.0, 1.0))
    elsewhere = moved(config, "test")
    for index in range(len(elsewhere)):
        before = render(specify(index, config, "test"), config.size)
        mask = elsewhere.attributes["mask"][index]
        assert (mask == before.masks[-1]).all()
        inner = binary_erosion(mask, np.ones((3, 3)), iterations=2)  # away from the antialiased edge
        change = np.abs(elsewhere.image(index).astype(int) - before.image).mean(axis=-1)
        outside = ~before.masks.any(axis=0)
        assert change[outside].mean() > 5
        # What remains inside are the antialiased seams between the parts of one object.
        assert change[inner].mean() < 0.15 * change[outside].mean()


def test_it_is_the_same_every_time():
    first, second = moved(CONFIG, "test"), moved(CONFIG, "test")
    assert (first.items == second.items).all()
    assert (first.attributes["home"] == second.attributes["home"]).all()
