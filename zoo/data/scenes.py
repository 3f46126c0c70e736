"""Generated scenes: known objects on real surfaces, with everything a label can say, and a bias that can be planted.

A scene is **specified** first (what, where, which colours, on which surface: plain numbers, a pure function of the
configuration, the split and the index) and **rendered** second (pixels, boxes, masks, keypoints and caption that agree with
each other because they come from one specification). One generator serves classification, detection, segmentation,
keypoints and captions.

The planted bias is the co-occurrence that real collections have: each class has a home surface and is found there with
probability `bias` in train, validation *and* test. A network may then learn the surface instead of the object, and the test
set will praise it. The split `counter` shows no object at home, and finds it out.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace

import numpy as np

from zoo.data import backgrounds, sprites
from zoo.data.backgrounds import SURFACES, Backdrop
from zoo.data.dataset import Dataset, Examples
from zoo.data.sprites import CLASSES, DISTRACTORS, KINDS, Pose

SPLITS = ("train", "validation", "test", "counter")
HOME = dict(zip(CLASSES, ("sky", "bricks", "grass", "stars", "wood", "gravel"), strict=True))
"""Class -> the surface where the bias puts it. A fish among stars is no slip: the lesson is co-occurrence, not sense."""

HUES = {"red": 0.0, "orange": 0.075, "yellow": 0.145, "green": 0.34, "turquoise": 0.48, "blue": 0.6, "purple": 0.76, "pink": 0.9}


@dataclass(frozen=True)
class Scenes:
    """A configuration of the generator.

    The defaults are balanced so that a small CNN learns both cues: the surface enough to fail without it, the object enough
    to be better than the surface alone. Stronger bias, smaller objects or less colour cast tip it towards the surface.

    size:       side of the images in pixels.
    train, validation, test, counter: images of each split.
    bias:       probability that the main object is on its home surface, in [0, 1]; the other surfaces share the rest.
                1 / 6 makes the surface independent of the class. In `counter` it is never at home.
    seed:       another seed is another collection.
    objects:    fewest and most objects of a scene; one of them, the last, is the main one and the frontmost.
    companions: kinds of the other objects; by default things that are of no class.
    scale:      longer side of the main object as a fraction of the image, smallest and largest.
    contrast:   1 keeps an object's colours, 0 paints it in the mean colour of its surface; smallest and largest.
    rotation:   an object is turned by up to this many degrees.
    cast:       colour cast of the surfaces: each channel is multiplied by up to 1 -+ cast. With much of it a surface is known
                by its texture only, which makes the shortcut harder to take.
    """

    size: int = 96
    train: int = 2400
    validation: int = 480
    test: int = 600
    counter: int = 600
    bias: float = 0.95
    seed: int = 0
    objects: tuple[int, int] = (1, 2)
    companions: tuple[str, ...] = DISTRACTORS
    scale: tuple[float, float] = (0.35, 0.65)
    contrast: tuple[float, float] = (0.85, 1.0)
    rotation: float = 12.0
    cast: float = 0.2

    def __post_init__(self):
        if self.size < 16:
            raise ValueError(f"scenes need at least 16 pixels a side to be recognisable, got size={self.size}")
        if not 0 <= self.bias <= 1:
            raise ValueError(f"bias is a probability in [0, 1], got {self.bias!r}; 1 / {len(CLASSES)} plants none")
        if not 1 <= self.objects[0] <= self.objects[1]:
            raise ValueError(f"objects must be (fewest, most) with 1 <= fewest <= most, got {self.objects!r}")
        for name, most in (("scale", 0.95), ("contrast", 1.0)):
            low, high = getattr(self, name)
            if not 0 < low <= high <= most:
                raise ValueError(f"{name} must be (smallest, largest) with 0 < smallest <= largest <= {most}, got {(low, high)!r}")
        if not 0 <= self.cast < 1:
            raise ValueError(f"cast must lie in [0, 1), got {self.cast!r}")
        unknown = sorted(set(self.companions) - set(KINDS))
        if unknown or not self.companions:
            raise ValueError(f"companions must be some of {', '.join(KINDS)}, got {self.companions!r}")

    def quick(self) -> Scenes:
        """Fewer images, for a first look in minutes."""
        return replace(self, train=1200, validation=240, test=300, counter=300)

    def unbiased(self) -> Scenes:
        """The control: the surface says nothing about the class."""
        return replace(self, bias=1 / len(CLASSES))

    @classmethod
    def general(cls, **fields) -> Scenes:
        """One to three objects of the classes on any surface: for detection, segmentation, keypoints and captions."""
        free = {"objects": (1, 3), "companions": CLASSES, "bias": 1 / len(CLASSES)}
        return cls(**{**free, "scale": (0.25, 0.6), "contrast": (0.6, 1.0), "rotation": 20.0, "cast": 0.1, **fields})


@dataclass(frozen=True)
class SceneObject:
    """One object, in fractions of the image's side.

    kind: one of KINDS. colour_name: of `colour`, the RGB in [0, 255] that fills most of it; accent: its second colour.
    box: xyxy around all of it, hidden parts too. keypoints: (x, y) in the order of `sprites.keypoint_names(kind)`.
    """

    kind: str
    pose: Pose
    colour_name: str
    colour: tuple[float, float, float]
    accent: tuple[float, float, float]
    box: tuple[float, float, float, float]
    keypoints: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Scene:
    """A specification. `objects` from back to front, the main one last; `label` is the index of its class."""

    index: int
    split: str
    background: str
    backdrop: Backdrop
    objects: tuple[SceneObject, ...]
    contrast: float
    label: int
    caption: str


@dataclass(frozen=True)
class Rendered:
    """A picture and its truth; n objects in the order of the scene.

    image:     uint8 (size, size, 3).
    boxes:     float32 (n, 4) xyxy in pixels, tight around what is visible.
    classes:   int64 (n,), index into KINDS; from len(CLASSES) on they are distractors.
    masks:     bool (n, size, size), visible pixels only, so they never overlap.
    keypoints: float32 (n, 4, 3): x, y in pixels and 2 visible or 1 hidden by a nearer object (COCO's convention).
    caption:   one sentence.
    """

    image: np.ndarray
    boxes: np.ndarray
    classes: np.ndarray
    masks: np.ndarray
    keypoints: np.ndarray
    caption: str


def classification(config: Scenes | None = None) -> Dataset:
    """The scenes as a classification set with the splits train, validation, test and counter.

    Attributes of each split: "background" (names of the surfaces) and "box" (float32 (n, 4), the main object in pixels).
    """
    config = config or Scenes()
    splits = {split: _examples(config, split) for split in SPLITS}
    notes = (
        "Generated pictures: drawn objects over photographs and textures that scikit-image ships. Nothing here is a result on real data.",
        f"Planted bias: {config.bias:.0%} of each class in train, validation and test lie on one surface"
        f" ({', '.join(f'{kind}: {home}' for kind, home in HOME.items())}); in the split counter none does.",
    )
    return Dataset("scenes", "generated", CLASSES, splits, notes)


def moved(config: Scenes, split: str = "test") -> Examples:
    """The scenes of `split` with their objects untouched and another class' home surface underneath: the experiment on one cause.

    Attributes: "background" (the new surface), "home" (int64, the class that is at home there, never the label) and "mask"
    (bool (n, h, w), the visible pixels of the main object).
    """
    images: list[np.ndarray] = []
    columns: dict[str, list] = {"background": [], "home": [], "mask": []}
    labels = np.empty(getattr(config, split), np.int64)
    for index in range(len(labels)):
        scene = specify(index, config, split)
        random = np.random.default_rng((config.seed, SPLITS.index(split), index, 1))
        home = int(random.choice([c for c, kind in enumerate(CLASSES) if c != scene.label and HOME[kind] != scene.background]))
        surface = HOME[CLASSES[home]]
        rendered = render(replace(scene, background=surface, backdrop=backgrounds.choose(surface, random, config.cast)), config.size)
        images.append(rendered.image)
        labels[index] = scene.label
        for name, value in (("background", surface), ("home", home), ("mask", rendered.masks[-1])):
            columns[name].append(value)
    return Examples(np.stack(images), labels, {name: np.array(column) for name, column in columns.items()})


def specify(index: int, config: Scenes, split: str) -> Scene:
    """Scene `index` of a split: a pure function of its arguments; `size` and the numbers of images change nothing."""
    if split not in SPLITS:
        raise ValueError(f"scenes have no split {split!r}; they have {', '.join(SPLITS)}")
    random = np.random.default_rng((config.seed, SPLITS.index(split), index))
    label = index % len(CLASSES)
    background = _background(CLASSES[label], config.bias if split != "counter" else 0.0, random)
    backdrop = backgrounds.choose(background, random, config.cast)
    contrast = float(random.uniform(*config.contrast))
    count = int(random.integers(config.objects[0], config.objects[1] + 1))
    objects: list[SceneObject] = []
    for number in range(count):  # the main one first: with nothing to hide, it always finds a place
        kind = str(random.choice(config.companions)) if number else CLASSES[label]
        scale = config.scale if kind in CLASSES else (0.6 * config.scale[0], 0.5 * config.scale[1])
        thing = _place(kind, scale, config, random, objects)
        if thing is not None:
            objects.append(thing)
    objects.reverse()
    return Scene(index, split, background, backdrop, tuple(objects), contrast, label, _caption(objects, background))


def render(scene: Scene, size: int) -> Rendered:
    """Paint a scene at `size` x `size` pixels; nothing is drawn at random here."""
    canvas = backgrounds.paint(scene.backdrop, size)
    surface = canvas.mean(axis=(0, 1))
    masks = np.zeros((len(scene.objects), size, size), bool)
    for number, thing in enumerate(scene.objects):
        colours = {
            role: tuple(surface + scene.contrast * (np.asarray(colour) - surface))
            for role, colour in sprites.palette(thing.colour, thing.accent).items()
        }
        light, coverage, window = sprites.paint(thing.kind, thing.pose, size, colours)
        canvas[window] += light - coverage[..., None] * canvas[window]
        masks[(number, *window)] = coverage >= 0.5
        masks[:number] &= ~masks[number]
    return Rendered(
        image=np.clip(canvas.round(), 0, 255).astype(np.uint8),
        boxes=np.stack([tight_box(mask) for mask in masks]),
        classes=np.array([KINDS.index(thing.kind) for thing in scene.objects], np.int64),
        masks=masks,
        keypoints=np.stack([_keypoints(thing, mask) for thing, mask in zip(scene.objects, masks, strict=True)]),
        caption=scene.caption,
    )


def tight_box(mask: np.ndarray) -> np.ndarray:
    """The smallest box around the True pixels of (h, w): float32 (4,) xyxy, pixel edges; zeros for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return np.zeros(4, np.float32)
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)


def _examples(config: Scenes, split: str) -> Examples:
    count = getattr(config, split)
    images = np.empty((count, config.size, config.size, 3), np.uint8)
    labels, surfaces, boxes = np.empty(count, np.int64), [], np.empty((count, 4), np.float32)
    for index in range(count):
        scene = specify(index, config, split)
        rendered = render(scene, config.size)
        images[index], labels[index], boxes[index] = rendered.image, scene.label, rendered.boxes[-1]
        surfaces.append(scene.background)
    return Examples(images, labels, {"background": np.array(surfaces, dtype=np.str_), "box": boxes})


def _background(kind: str, bias: float, random: np.random.Generator) -> str:
    others = [name for name in SURFACES if name != HOME[kind]]
    at_home, other = random.random(), int(random.integers(len(others)))
    return HOME[kind] if at_home < bias else others[other]


def _place(
    kind: str, scale: tuple[float, float], config: Scenes, random: np.random.Generator, placed: list[SceneObject]
) -> SceneObject | None:
    """One object inside the image; None when ten places were tried and each would hide too much of somebody."""
    names = list(HUES)
    first, second = random.choice(len(names), 2, replace=False)
    colour, accent = _colour(HUES[names[first]], random), _colour(HUES[names[second]], random)
    for _ in range(10):
        size, angle = random.uniform(*scale), random.uniform(-config.rotation, config.rotation)
        mirrored, where = bool(random.integers(2)), random.random(2)
        _, box, _ = sprites.place(kind, Pose((0.0, 0.0), size, angle, mirrored))
        centre = np.array([0.02, 0.02]) - box[:2] + where * (0.96 - (box[2:] - box[:2]))
        pose = Pose(tuple(centre.tolist()), size, angle, mirrored)
        _, box, keypoints = sprites.place(kind, pose)
        if all(_overlap(box, other.box) < 0.35 for other in placed):
            return SceneObject(kind, pose, names[first], colour, accent, tuple(box.tolist()), tuple(map(tuple, keypoints.tolist())))
    return None


def _overlap(box, other) -> float:
    """The shared area as a fraction of the smaller box."""
    width, height = (min(box[axis + 2], other[axis + 2]) - max(box[axis], other[axis]) for axis in (0, 1))
    smaller = min((one[2] - one[0]) * (one[3] - one[1]) for one in (box, other))
    return max(width, 0.0) * max(height, 0.0) / smaller


def _colour(hue: float, random: np.random.Generator) -> tuple[float, float, float]:
    turn, saturation, value = random.uniform((-0.02, 0.6, 0.65), (0.02, 0.9, 0.95))
    red, green, blue = colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)
    return 255 * red, 255 * green, 255 * blue


def _caption(objects: list[SceneObject], background: str) -> str:
    named = [f"{'an' if thing.colour_name[0] in 'aeio' else 'a'} {thing.colour_name} {thing.kind}" for thing in objects]
    listed = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    return f"{listed} {SURFACES[background].phrase}"


def _keypoints(thing: SceneObject, mask: np.ndarray) -> np.ndarray:
    points = np.asarray(thing.keypoints) * len(mask)
    column, row = np.clip(points.astype(int), 0, len(mask) - 1).T
    return np.column_stack([points, 1 + mask[row, column]]).astype(np.float32)
