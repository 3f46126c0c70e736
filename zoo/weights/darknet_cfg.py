"""The text of a darknet cfg file as sections: facts of the format, see `zoo.weights.darknet`."""

from __future__ import annotations

import math
from dataclasses import dataclass

_TRAINING = {
    *("jitter", "ignore_thresh", "truth_thresh", "random", "iou_thresh", "cls_normalizer", "iou_normalizer", "iou_loss", "nms_kind"),
    *("beta_nms", "obj_normalizer", "max_delta", "resize", "probability", "counters_per_class", "label_smooth_eps", "max"),
}
"""Options that change training only."""
_KNOWN = {
    "convolutional": {"batch_normalize", "filters", "size", "stride", "pad", "padding", "groups", "activation"},
    "maxpool": {"size", "stride", "padding"},
    "shortcut": {"from", "activation"},
    "route": {"layers"},
    "upsample": {"stride"},
    "dropout": set(),
    "yolo": {"mask", "anchors", "classes", "num", "scale_x_y"},
}


@dataclass(frozen=True)
class Section:
    """One part of a cfg file. number: index among the parts behind [net]; line: where it begins."""

    kind: str
    options: dict[str, str]
    number: int
    line: int

    def whole(self, name: str, default: int | None = None, least: int = 0) -> int:
        """A whole number of at least `least`."""
        value = self._as_whole(self._number(name, default), name)
        if value < least:
            raise self.wrong(f"wants at least {least} for {name}, got {value}")
        return value

    def real(self, name: str, default: float | None = None) -> float:
        return self._number(name, default)

    def several(self, name: str) -> list[int]:
        return [self._as_whole(value, name) for value in self.several_real(name)]

    def several_real(self, name: str) -> list[float]:
        return [self._as_number(part.strip(), name) for part in self.options.get(name, "").split(",") if part.strip()]

    def wrong(self, what: str) -> ValueError:
        return ValueError(f"[{self.kind}] at line {self.line} (layer {self.number}) {what}")

    def _number(self, name: str, default) -> float:
        if name not in self.options and default is None:
            raise self.wrong(f"has no {name}")
        return self._as_number(self.options.get(name, default), name)

    def _as_number(self, text, name: str) -> float:
        try:
            value = float(text)
        except ValueError as error:
            raise self.wrong(f"wants a number for {name}, got {text!r}") from error
        if not math.isfinite(value):
            raise self.wrong(f"wants a finite number for {name}, got {text!r}")
        return value

    def _as_whole(self, value: float, name: str) -> int:
        if value != int(value):
            raise self.wrong(f"wants whole numbers for {name}, got {value:g}")
        return int(value)


def sections(text: str) -> list[Section]:
    """The parts of a cfg file, [net] first."""
    found: list[Section] = []
    for line, content in enumerate(text.splitlines(), start=1):
        content = content.partition("#")[0].partition(";")[0].strip()
        if content.startswith("["):
            found.append(Section(content.strip("[]").strip(), {}, len(found) - 1, line))
        elif content:
            name, equals, value = content.partition("=")
            if not equals or not found:
                raise ValueError(f"line {line} of the cfg is neither a [section] nor name=value: {content[:80]!r}")
            found[-1].options[name.strip()] = value.strip()
    if not found or found[0].kind not in ("net", "network"):
        raise ValueError("a cfg begins with the section [net]")
    for section in found[1:]:
        if section.kind not in _KNOWN:
            raise section.wrong(f"is not known here; known are {', '.join(_KNOWN)}")
        unknown = set(section.options) - _KNOWN[section.kind] - _TRAINING
        if unknown:
            raise section.wrong(f"has options that are not known here: {', '.join(sorted(unknown))}")
    return found
