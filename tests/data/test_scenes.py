"""Scenes: pixels, boxes, masks, keypoints and captions agree; the bias is planted and broken; everything repeats."""

from __future__ import annotations

import colorsys
import hashlib
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("skimage", reason="the scenes use scikit-image's photographs; install the projects extra")

from zoo.data import backgrounds, scenes, sprites
from zoo.data.scenes import CLASSES, HOME, KINDS, SPLITS, SURFACES, Scenes
from zoo.data.sprites import Pose

SIZE = 96
GENERAL = Scenes.general(scale=(0.25, 0.6))
SMALL = Scenes(train=48, validation=12, test=24, counter=24)


@pytest.fixture(scope="module")
def general():
    """120 general scenes and what was rendered."""
    specified = [scenes.specify(index, GENERAL, "train") for index in range(120)]
    return [(scene, scenes.render(scene, SIZE)) for scene in specified]


@pytest.fixture(scope="module")
def dataset():
    return scenes.classification(SMALL)


def palette():
    return sprites.palette((200, 60, 50), (60, 110, 200))


def test_shapes_and_types_are_those_promised(general):
    for scene, picture in general:
        n = len(scene.objects)
        assert (picture.image.shape, picture.image.dtype) == ((SIZE, SIZE, 3), np.uint8)
        assert (picture.boxes.shape, picture.boxes.dtype) == ((n, 4), np.float32)
        assert (picture.classes.shape, picture.classes.dtype) == ((n,), np.int64)
        assert (picture.masks.shape, picture.masks.dtype) == ((n, SIZE, SIZE), bool)
        assert (picture.keypoints.shape, picture.keypoints.dtype) == ((n, 4, 3), np.float32)
        assert [KINDS[k] for k in picture.classes] == [thing.kind for thing in scene.objects]
        assert scene.label == picture.classes[-1] == scene.index % len(CLASSES)
    assert {len(scene.objects) for scene, _ in general} == {1, 2, 3}


def test_each_box_is_tight_around_its_visible_mask(general):
    for _, picture in general:
        for box, mask in zip(picture.boxes, picture.masks, strict=True):
            rows, columns = np.nonzero(mask)
            assert len(rows) > 20, "an object is hidden"
            np.testing.assert_array_equal(box, [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


def test_visible_masks_never_overlap_and_some_objects_are_hidden_in_part(general):
    assert all(picture.masks.sum(axis=0).max() <= 1 for _, picture in general)
    visible = [1 in picture.keypoints[..., 2] for _, picture in general]
    assert any(visible), "no scene has a hidden keypoint, so occlusion was not tested"


def test_painted_pixels_are_the_masks(general):
    """Paint each scene with and without its objects: what changed is the masks, up to the antialiased rim."""
    for scene, picture in general[:40]:
        bare = backgrounds.paint(scene.backdrop, SIZE)
        changed = np.abs(picture.image - bare).max(axis=-1) > 1.0
        union = picture.masks.any(axis=0)
        # A sharp tip thins out over two pixels before it is half covered.
        assert not (changed & ~_grown(_grown(union))).any(), "paint outside of every mask"
        # A part may by chance have the colour of the surface behind it, but most of an object must differ.
        assert (changed & union).sum() > 0.8 * union.sum()


def test_removing_the_nearest_object_uncovers_the_others():
    found = 0
    for index in range(60):
        scene = scenes.specify(index, GENERAL, "test")
        if len(scene.objects) < 2:
            continue
        whole, bare = scenes.render(scene, SIZE), scenes.render(replace(scene, objects=scene.objects[:-1]), SIZE)
        covered = bare.masks & ~whole.masks[:-1]
        assert (covered.any(axis=0) <= whole.masks[-1]).all(), "only the nearest object may hide what it covers"
        assert (whole.masks[:-1] <= bare.masks).all()
        found += covered.any()
    assert found > 3


def test_the_specified_box_and_keypoints_are_where_they_are_painted(general):
    """The geometry of the specification against painted pixels, for the nearest object, which nothing hides."""
    for scene, picture in general:
        nearest = scene.objects[-1]
        # A sharp tip covers less than half of its last pixel, so paint may end up to two pixels before geometry.
        np.testing.assert_allclose(picture.boxes[-1], np.array(nearest.box) * SIZE, atol=2.0)
        assert nearest.pose.size == pytest.approx(max(nearest.box[2] - nearest.box[0], nearest.box[3] - nearest.box[1]))
        np.testing.assert_allclose(picture.keypoints[-1, :, :2], np.array(nearest.keypoints) * SIZE, rtol=1e-6)


@pytest.mark.parametrize("size", [64, 96, 250])
@pytest.mark.parametrize("kind", KINDS)
def test_unhidden_keypoints_lie_inside_the_mask(kind, size):
    assert len(sprites.keypoint_names(kind)) == 4
    for angle in (-20, 0, 13, 20):
        for mirrored in (False, True):
            pose = Pose((0.5, 0.5), 0.3, angle, mirrored)
            _, coverage, (rows, columns) = sprites.paint(kind, pose, size, palette())
            mask = np.zeros((size, size), bool)
            mask[rows, columns] = coverage >= 0.5
            _, _, keypoints = sprites.place(kind, pose)
            x, y = (keypoints * size).astype(int).T
            assert mask[y, x].all(), f"{kind}: {sprites.keypoint_names(kind)} at {angle} degrees"


def test_keypoints_say_visible_inside_the_mask_and_hidden_under_a_nearer_one(general):
    for _, picture in general:
        for number, (mask, points) in enumerate(zip(picture.masks, picture.keypoints, strict=True)):
            x, y = points[:, :2].astype(int).T
            np.testing.assert_array_equal(points[:, 2] == 2, mask[y, x])
            hidden = points[:, 2] == 1
            assert _grown(picture.masks[number + 1 :].any(axis=0))[y[hidden], x[hidden]].all()


@pytest.mark.parametrize("kind", KINDS)
def test_geometry_of_a_drawing_meets_its_paint_to_a_pixel(kind):
    """At 256 pixels the painted outline ends within a pixel of the polygon, whatever the turn."""
    for angle in (0.0, 17.0, -40.0, 90.0, 180.0):
        pose = Pose((0.5, 0.5), 0.6, angle)
        _, coverage, (rows, columns) = sprites.paint(kind, pose, 256, palette())
        mask = np.zeros((256, 256), bool)
        mask[rows, columns] = coverage > 0
        np.testing.assert_allclose(scenes.tight_box(mask), sprites.place(kind, pose)[1] * 256, atol=1.01)


def test_antialiased_coverage_has_the_area_of_the_polygon():
    """A star is one outline: the sum of its coverage is the area of the polygon by the shoelace formula."""
    pose = Pose((0.5, 0.5), 0.7, 11.0)
    _, coverage, _ = sprites.paint("star", pose, 128, palette())
    x, y = (sprites.place("star", pose)[0][0] * 128).T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    assert coverage.sum() == pytest.approx(area, rel=0.03)
    assert len(np.unique(coverage)) > 8


def test_turning_is_counter_clockwise_and_mirroring_swaps_left_and_right():
    front = sprites.keypoint_names("car").index("front")
    plain, turned, mirrored = (sprites.place("car", Pose((0.5, 0.5), 0.5, a, m))[2][front] for a, m in ((0, False), (90, False), (0, True)))
    assert plain[0] > 0.65
    assert turned[1] < 0.35
    assert mirrored[0] < 0.35


def test_captions_name_every_object_its_colour_and_the_surface(general):
    for scene, picture in general:
        assert picture.caption.endswith(SURFACES[scene.background].phrase)
        for thing in scene.objects:
            assert f"{thing.colour_name} {thing.kind}" in picture.caption
        words = re.findall(r"\w+", picture.caption)
        assert sum(words.count(kind) for kind in KINDS) == len(scene.objects)
        assert " a orange" not in f" {picture.caption}"
    captions = {len(scene.objects): scene.caption for scene, _ in general}
    assert (captions[3].count(","), captions[3].count(" and ")) == (1, 1)


@pytest.mark.parametrize("name", scenes.HUES)
def test_colour_names_are_true(name):
    colour = scenes._colour(scenes.HUES[name], np.random.default_rng(3))
    hue = colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))[0]
    distances = {other: min(abs(hue - value), 1 - abs(hue - value)) for other, value in scenes.HUES.items()}
    assert min(distances, key=distances.get) == name


def test_a_scene_is_a_pure_function_of_seed_split_and_index():
    code = (
        "import hashlib; from zoo.data import scenes; c = scenes.Scenes(seed=5);"
        "print(hashlib.sha256(b''.join(scenes.render(scenes.specify(i, c, 'test'), 64).image.tobytes() for i in (7, 3, 11))).hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=_root()).stdout.strip()
    config = Scenes(seed=5, train=1, size=200)
    images = [scenes.render(scenes.specify(i, config, "test"), 64).image.tobytes() for i in (7, 3, 11)]
    assert hashlib.sha256(b"".join(images)).hexdigest() == other
    assert scenes.specify(3, config, "test") == scenes.specify(3, config, "test")
    unlike = [scenes.specify(3, config, "train"), scenes.specify(9, config, "test"), scenes.specify(3, replace(config, seed=6), "test")]
    assert all(scene.objects != scenes.specify(3, config, "test").objects for scene in unlike)


def test_one_specification_at_two_sizes_is_the_same_scene():
    scene = scenes.specify(4, GENERAL, "train")
    small, large = scenes.render(scene, 64), scenes.render(scene, 256)
    np.testing.assert_allclose(small.boxes, large.boxes / 4, atol=1.5)
    np.testing.assert_allclose(small.keypoints[..., :2], large.keypoints[..., :2] / 4, atol=1e-4)
    shrunk = large.image.reshape(64, 4, 64, 4, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - small.image).mean() < 6


def test_every_split_is_balanced_and_described(dataset):
    assert dataset.classes == CLASSES
    assert tuple(dataset.splits) == SPLITS
    assert dataset.kind == "generated"
    for split, counts in dataset.counts().items():
        assert len(set(counts)) == 1
        part = dataset[split]
        assert len(part) == getattr(SMALL, split)
        assert part.image(0).shape == (SMALL.size, SMALL.size, 3)
        assert set(part.attributes) == {"background", "box"}
        assert set(part.attributes["background"]) <= set(SURFACES)
        taken = part.take([2, 0])
        np.testing.assert_array_equal(taken.image(1), part.image(0))
        np.testing.assert_array_equal(taken.attributes["box"][0], part.attributes["box"][2])
    assert any("scikit-image" in note for note in dataset.notes)


def test_the_bias_is_planted_in_three_splits_and_broken_in_the_fourth():
    def at_home(split, config):
        found = [scenes.specify(index, config, split) for index in range(600)]
        return np.mean([scene.background == HOME[CLASSES[scene.label]] for scene in found]), found

    for split in ("train", "validation", "test"):
        share, _ = at_home(split, Scenes(bias=0.9))
        assert 0.86 < share < 0.94, split
    share, found = at_home("counter", Scenes(bias=0.9))
    assert share == 0
    for label, kind in enumerate(CLASSES):
        away = [scene.background for scene in found if scene.label == label]
        counts = {name: away.count(name) for name in SURFACES if name != HOME[kind]}
        assert min(counts.values()) > 8, "the other surfaces share the rest evenly"
    assert set(HOME) == set(CLASSES)
    assert set(HOME.values()) == set(SURFACES), "every surface is the home of one class"


def test_without_bias_the_surface_says_nothing():
    config = Scenes().unbiased()
    table = np.zeros((len(CLASSES), len(SURFACES)))
    names = list(SURFACES)
    for index in range(1800):
        scene = scenes.specify(index, config, "train")
        table[scene.label, names.index(scene.background)] += 1
    # Chi-square of independence, 25 degrees of freedom: 52.6 is exceeded once in a thousand.
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    assert ((table - expected) ** 2 / expected).sum() < 52.6


def test_main_objects_keep_the_scale_and_stay_inside():
    config = Scenes(scale=(0.3, 0.5), rotation=30)
    for index in range(200):
        main = scenes.specify(index, config, "train").objects[-1]
        assert 0.3 <= main.pose.size <= 0.5
        assert abs(main.pose.angle) <= 30
        assert min(main.box) >= 0.019
        assert max(main.box) <= 0.981


def test_companions_of_a_classification_scene_are_of_no_class():
    config = Scenes(objects=(2, 3))
    others = [thing.kind for index in range(60) for thing in scenes.specify(index, config, "train").objects[:-1]]
    assert set(others) == set(sprites.DISTRACTORS)
    assert not set(others) & set(CLASSES)


def test_contrast_moves_the_object_towards_its_surface():
    def difference(contrast):
        scene = scenes.specify(0, Scenes(contrast=(contrast, contrast)), "train")
        surface = backgrounds.paint(scene.backdrop, SIZE)
        picture = scenes.render(scene, SIZE)
        return np.abs(picture.image[picture.masks[-1]] - surface.mean(axis=(0, 1))).mean()

    assert difference(0.1) < 0.5 * difference(0.5) < 0.5 * difference(1.0)


@pytest.mark.parametrize("name", SURFACES)
def test_surfaces_are_photographs_and_no_two_pieces_alike(name):
    random = np.random.default_rng(0)
    pieces = [backgrounds.paint(backgrounds.choose(name, random), 48) for _ in range(4)]
    for piece in pieces:
        assert piece.shape == (48, 48, 3)
        assert piece.min() >= 0
        assert piece.max() <= 255
        assert piece.std() > 3
    assert all(np.abs(pieces[0] - piece).mean() > 1 for piece in pieces[1:])


def test_without_scikit_image_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(backgrounds.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"vision-zoo-keras\[projects\]"):
        backgrounds.folder()


def test_a_missing_photograph_is_named(monkeypatch):
    monkeypatch.setitem(backgrounds.SURFACES, "lava", replace(SURFACES["grass"], file="lava.png"))
    with pytest.raises(FileNotFoundError, match=r"lava\.png"):
        backgrounds.folder()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": 8}, "at least 16 pixels"),
        ({"bias": 1.5}, "probability"),
        ({"objects": (2, 1)}, "fewest <= most"),
        ({"objects": (0, 1)}, "fewest <= most"),
        ({"scale": (0.5, 1.2)}, "scale"),
        ({"contrast": (0.0, 1.0)}, "contrast"),
        ({"cast": 1.0}, "cast"),
        ({"companions": ("ball", "dragon")}, "dragon"),
        ({"companions": ()}, "companions"),
    ],
)
def test_impossible_configurations_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Scenes(**fields)


def test_unknown_splits_and_kinds_list_what_there_is():
    with pytest.raises(ValueError, match="'trial'; they have train, validation, test, counter"):
        scenes.specify(0, Scenes(), "trial")
    with pytest.raises(ValueError, match="there is no object 'dragon'; there are boat"):
        sprites.place("dragon", Pose((0.5, 0.5), 0.5))


def test_the_generator_imports_no_framework():
    code = "import sys, zoo.data.scenes; print({'tensorflow', 'keras', 'torch', 'jax', 'skimage', 'sklearn'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=_root()).stdout.strip() == "set()"


def _grown(mask: np.ndarray) -> np.ndarray:
    """The mask with a rim of one pixel."""
    padded = np.pad(mask, 1)
    height, width = mask.shape
    return np.any([padded[y : y + height, x : x + width] for y in range(3) for x in range(3)], axis=0)


def _root() -> str:
    return str(Path(__file__).resolve().parents[2])
