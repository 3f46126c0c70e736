"""What watching a video found, and how fast every part of the work was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

STAGES = ("decode", "detect", "track", "draw", "encode")


@dataclass
class Track:
    """One object: the class it was given last, the first and last frame it was seen in, and in how many."""

    kind: int
    first: int
    last: int
    frames: int = 1


@dataclass
class Report:
    """source:   name of the video; output: that of the annotated one, None for none; codec: of the output; plays: in a browser.
    size:     (height, width) of its frames; rate: of the source, frames per second.
    frames:   looked at; decoded: all that were decoded to get them; broken: packets that could not be; missing: frames that the header
              announces and the file, read to its end, does not hold.
    seconds:  of all the work; stages: of its parts (`STAGES`), summed over the frames.
    tracks:   id -> `Track`; counts: name of each counter -> {what: {class: how many}}.
    timeline: [{"seconds": t, class: mean number of objects}].
    complete: False when it was stopped before the end.
    """

    source: str
    size: tuple[int, int]
    rate: float
    output: str | None = None
    codec: str | None = None
    plays: bool = False
    frames: int = 0
    decoded: int = 0
    broken: int = 0
    missing: int = 0
    seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    tracks: dict[int, Track] = field(default_factory=dict)
    counts: dict[str, dict[str, dict[int, int]]] = field(default_factory=dict)
    timeline: list[dict[str, float]] = field(default_factory=list)
    complete: bool = False

    @property
    def fps(self) -> dict[str, float]:
        """Frames per second of every stage alone, and of all as "all". Decoding counts skipped frames too; an unused stage is absent."""
        spent = {stage: seconds for stage, seconds in self.stages.items() if seconds > 0}
        speeds = {stage: (self.decoded if stage == "decode" else self.frames) / seconds for stage, seconds in spent.items()}
        return speeds | ({"all": self.frames / self.seconds} if self.seconds > 0 else {})

    def objects(self) -> dict[int, int]:
        """Class -> how many different objects were followed."""
        kinds = [track.kind for track in self.tracks.values()]
        return {kind: kinds.count(kind) for kind in sorted(set(kinds))}

    def as_dict(self, names: Sequence[str] = ()) -> dict:
        """Everything as JSON takes it, the classes by name."""
        facts = asdict(self) | {"fps": self.fps, "objects": _named(self.objects(), names)}
        facts["tracks"] = {str(key): {**asdict(track), "kind": called(track.kind, names)} for key, track in self.tracks.items()}
        facts["counts"] = {name: {what: _named(found, names) for what, found in kinds.items()} for name, kinds in self.counts.items()}
        facts["timeline"] = [
            {key if key == "seconds" else called(int(key), names): value for key, value in row.items()} for row in self.timeline
        ]
        return facts

    def table(self, names: Sequence[str] = ()) -> str:
        """A few lines for a terminal."""
        height, width = self.size
        lines = [f"{self.source}: {width}x{height}, {self.rate:.4g} frames per second, {self.frames} of {self.decoded} frames looked at"]
        if self.broken or self.missing:
            lines.append(
                f"  damaged: {self.broken} packets could not be decoded, {self.missing} of the frames that it announces are not there"
            )
        lines.append("  frames per second: " + ", ".join(f"{stage} {speed:.1f}" for stage, speed in self.fps.items()))
        lines.append("  objects: " + (_list(self.objects(), names) or "none"))
        for name, kinds in self.counts.items():
            lines.append(f"  {name}: " + "; ".join(f"{what} {_list(found, names) or 0}" for what, found in kinds.items()))
        if self.output:
            lines.append(f"  {self.output} ({self.codec}{'' if self.plays else ', which browsers do not play'})")
        return "\n".join(lines)


def called(kind: int, names: Sequence[str]) -> str:
    return str(names[kind]) if 0 <= kind < len(names) else f"class {kind}"


def _named(found: dict[int, int], names: Sequence[str]) -> dict[str, int]:
    return {called(kind, names): count for kind, count in found.items()}


def _list(found: dict[int, int], names: Sequence[str]) -> str:
    return ", ".join(f"{called(kind, names)} {count}" for kind, count in found.items())
