"""Published trainings as data: a recipe, where its numbers stand, the picture sizes, and what differs from the source and why.

    recipe("bag_of_tricks")                     the published numbers
    recipe("bag_of_tricks", epochs=10)          with fields of your own

Learning rates belong to `reference_batch` images per update and are scaled to yours; warm-ups given in epochs are fractions here.

Weight decay: the papers that train with SGD or RMSprop add the decay to the gradient, so momentum m multiplies its effect by 1 / (1 - m).
Keras decouples it (rate * decay * weight, with no momentum). The rows of SGD therefore hold the published decay / (1 - m), which shrinks
a weight equally fast once momentum has settled. The rows of AdamW hold the published number, decoupled there too.

The numbers of each row are from memory of the cited tables; what a test can derive from them is derived.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zoo.train.recipe import Recipe


@dataclass(frozen=True)
class Published:
    """One training as it was published.

    recipe:      the fields.
    paper:       authors, year, arXiv number.
    where:       the section or table of the numbers.
    size:        side in pixels of the training pictures.
    test_size:   side in pixels of the pictures of the published accuracy.
    differs:     what the source does and this row does not, or otherwise, one sentence each.
    progressive: fields that grow during the training: name -> (first, last) value; kept as data.
    """

    recipe: Recipe
    paper: str
    where: str
    size: int
    test_size: int
    differs: tuple[str, ...] = ()
    progressive: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def _sgd(decay: float, momentum: float = 0.9) -> dict[str, Any]:
    """Momentum and the decoupled decay that does what `decay` in the gradient does."""
    return {"momentum": momentum, "weight_decay": decay / (1 - momentum)}


_STRIKES = "Wightman, Touvron & Jegou 2021, arXiv:2110.00476"
_LAMB = (
    "The decay is not part of LAMB's trust ratio: Keras adds it outside.",
    "Test pictures are squashed or cropped whole; the source crops the middle 95 %.",
)
_NO_DEPTH = "Stochastic depth 0.05 is left out: the ResNets of the zoo have none; set drop_path for a family that has it."
_STRIKE_BACK = Recipe(
    batch_size=2048,
    optimizer="lamb",
    learning_rate=5e-3,
    reference_batch=2048,
    schedule="cosine",
    criterion="binary_cross_entropy",
    flip=True,
    crop=0.92,
    random_augment=0.7,
    mixup=0.2,
    cutmix=1.0,
    repeats=3,
)

RECIPES: dict[str, Published] = {
    "quick": Published(
        Recipe(epochs=10, batch_size=32, learning_rate=3e-3, schedule="one_cycle", warmup=0.3, label_smoothing=0.1, flip=True, crop=0.3),
        paper="Smith & Topin 2018, arXiv:1708.07120",
        where="the one-cycle policy; the numbers are ours, for small data on two cores",
        size=96,
        test_size=96,
    ),
    "bag_of_tricks": Published(
        Recipe(
            epochs=120,
            batch_size=256,
            optimizer="sgd",
            learning_rate=0.1,
            reference_batch=256,
            schedule="cosine",
            warmup=5 / 120,
            label_smoothing=0.1,
            flip=True,
            crop=0.92,
            colour=0.4,
            **_sgd(1e-4),
        ),
        paper="He et al. 2019, arXiv:1812.01187",
        where="sections 2.1, 3.1 and 5.1 to 5.3, without distillation",
        size=224,
        test_size=224,
        differs=(
            "Noise along the principal colours of ImageNet is left out.",
            "Mixup (alpha 0.2, then 200 epochs) is a row of its own in table 6: mixup=0.2, epochs=200.",
            "The last scale of each residual branch starts at 0 in the model: changes={'zero_gamma': True}.",
        ),
    ),
    "resnet_strikes_back_a1": Published(
        dataclasses.replace(_STRIKE_BACK, epochs=600, warmup=5 / 600, weight_decay=0.01, label_smoothing=0.1),
        paper=_STRIKES,
        where="table 2, procedure A1",
        size=224,
        test_size=224,
        differs=(*_LAMB, _NO_DEPTH),
    ),
    "resnet_strikes_back_a2": Published(
        dataclasses.replace(_STRIKE_BACK, epochs=300, warmup=5 / 300, weight_decay=0.02, mixup=0.1),
        paper=_STRIKES,
        where="table 2, procedure A2",
        size=224,
        test_size=224,
        differs=(*_LAMB, _NO_DEPTH),
    ),
    "resnet_strikes_back_a3": Published(
        dataclasses.replace(
            _STRIKE_BACK, epochs=100, warmup=5 / 100, learning_rate=8e-3, weight_decay=0.02, mixup=0.1, random_augment=0.6, repeats=1
        ),
        paper=_STRIKES,
        where="table 2, procedure A3",
        size=160,
        test_size=224,
        differs=_LAMB,
    ),
    "convnext": Published(
        Recipe(
            epochs=300,
            batch_size=4096,
            optimizer="adamw",
            learning_rate=4e-3,
            reference_batch=4096,
            schedule="cosine",
            warmup=20 / 300,
            weight_decay=0.05,
            label_smoothing=0.1,
            drop_path=0.1,
            flip=True,
            crop=0.92,
            random_augment=0.9,
            erasing=0.25,
            mixup=0.8,
            cutmix=1.0,
            ema=0.9999,
        ),
        paper="Liu et al. 2022, arXiv:2201.03545",
        where="table 5, ConvNeXt-T (stochastic depth 0.4, 0.5, 0.5 for S, B, L)",
        size=224,
        test_size=224,
        differs=("The strength of the random operations does not vary from picture to picture.", "Erased rectangles are grey, not noise."),
    ),
    "efficientnet_v2": Published(
        Recipe(
            epochs=350,
            batch_size=4096,
            optimizer="rmsprop",
            momentum=0.9,
            learning_rate=0.256,
            reference_batch=4096,
            schedule="step",
            warmup=5 / 350,
            milestones=2.4 / 350,
            factor=0.97,
            weight_decay=1e-5,
            label_smoothing=0.1,
            drop_path=0.2,
            flip=True,
            crop=0.92,
            random_augment=1.0,
            mixup=0.2,
            ema=0.9999,
        ),
        paper="Tan & Le 2021, arXiv:2104.00298",
        where="section 4.1 and table 6, EfficientNetV2-M",
        size=300,
        test_size=480,
        differs=(
            "Size, random operations (magnitude 5 to 20), mixup and dropout grow over four stages in the source: see `progressive`.",
            "Magnitudes above 10 count as 10, the end of our scale.",
            "The decay is added to the gradient in the source, where RMSprop rescales it, which no decoupled number equals.",
        ),
        progressive={"size": (128, 380), "random_augment": (0.5, 2.0), "mixup": (0.0, 0.2), "dropout": (0.1, 0.4)},
    ),
    "deeplab_v3_plus": Published(
        Recipe(
            epochs=46,
            batch_size=16,
            optimizer="sgd",
            nesterov=False,
            learning_rate=0.007,
            reference_batch=16,
            schedule="poly",
            warmup=0.0,
            power=0.9,
            flip=True,
            **_sgd(4e-5),
        ),
        paper="Chen et al. 2018, arXiv:1802.02611",
        where="section 4, after DeepLabv3 (arXiv:1706.05587, section 4.1): 30,000 steps of 16 crops on 10,582 pictures",
        size=513,
        test_size=513,
        differs=(
            "Crops of 513 pixels at scales 0.5 to 2 need the masks, which a classifier's pipeline has not.",
            "A segmenter has its own loss: give it to fit.",
        ),
    ),
    "yolo_style": Published(
        Recipe(
            epochs=300,
            batch_size=64,
            optimizer="sgd",
            learning_rate=0.01,
            reference_batch=64,
            schedule="cosine",
            warmup=3 / 300,
            final_rate=0.01,
            ema=0.9999,
            monitor="val_loss",
            **_sgd(5e-4, 0.937),
        ),
        paper="Wang et al. 2023 (YOLOv7), arXiv:2207.02696",
        where="the settings that the family shares since YOLOv4 (arXiv:2004.10934); the numbers are from its public configurations",
        size=640,
        test_size=640,
        differs=(
            "Flip, mosaic, scale and translation move the boxes: zoo.data.ObjectPipeline(augment=..., epochs=..., close_mosaic=...).",
            "The first epochs warm up the momentum and the rate of the biases too, which Keras' optimisers cannot.",
            "The loss is the detector's own criterion.",
        ),
    ),
}


def published(name: str) -> Published:
    """The row called `name`. Raises ValueError that lists the names."""
    if name not in RECIPES:
        raise ValueError(f"there is no recipe called {name!r}; recipes: {', '.join(RECIPES)}")
    return RECIPES[name]


def recipe(name: str, **overrides) -> Recipe:
    """The recipe called `name`, with fields of your own: recipe("convnext", epochs=30, batch_size=64)."""
    return dataclasses.replace(published(name).recipe, **overrides)


def table() -> str:
    """All recipes as a Markdown table, for docs/training.md."""
    head = "| recipe | epochs | images per update | optimiser, rate | schedule | loss | pictures | size | source |"
    lines = [head, "|" + "---|" * head.count(" | ") + "---|"]
    lines += [f"| {' | '.join(_cells(name, row))} |" for name, row in RECIPES.items()]
    return "\n".join(lines)


def _cells(name: str, row: Published) -> tuple[str, ...]:
    r = row.recipe
    loss = r.criterion.replace("_", " ") + (f", smoothing {r.label_smoothing:g}" if r.label_smoothing else "")
    pictures = ", ".join(f"{key.replace('_', ' ')} {value:g}" for key, value in r.pictures().items() if key != "random_augment_layers")
    schedule = f"{r.schedule.replace('_', '-')}, warm-up {r.warmup * r.epochs:.3g}"
    return (
        f"`{name}`",
        str(r.epochs),
        str(r.batch_size * r.accumulation),
        f"{r.optimizer} {r.learning_rate:g}",
        schedule,
        loss,
        pictures.replace("flip 1", "flip"),
        str(row.size),
        f"{row.paper}: {row.where}",
    )
