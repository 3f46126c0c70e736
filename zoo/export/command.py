"""`zoo export`: write a model in the formats and precisions asked for, check every file on real images, and say what came out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from zoo import atomic
from zoo.export import check, write
from zoo.export.check_boxes import check_boxes
from zoo.export.deploy import is_detector

_SEED = 0
_CHOSEN = {"threshold": 0.25, "iou": 0.5, "most": 100}
"""What is chosen for the suppression of a detector, and its defaults."""


def run(options) -> int:
    """Write, check, and print the table; the exit status is 1 when a file could not be written or does not agree.

    A file that does not agree is renamed to NAME.failed.
    """
    wanted = _wanted(options)
    if options.images < 1:
        raise ValueError(f"--images must be at least 1, got {options.images}")
    if options.data is None and any(precision == "int8" for _, precision in wanted):
        raise ValueError(
            "int8 needs pictures to measure the ranges of the activations on, of the kind that the model will see: --data FOLDER (about a "
            "hundred are enough; they may be the training pictures)"
        )
    predictor, stem, home = _subject(options)
    boxes = is_detector(predictor.model)
    _fits(options, boxes)
    calibration, judged, note = _pictures(predictor, options)
    print(note)
    model = predictor.model
    if options.fold:
        from zoo.export.fold import fold

        model, count = fold(model)
        print(f"{count} batch normalisations folded")
    files, unwritten = {}, 0
    for format, precision in wanted:
        path = _place(options, wanted, home, stem, format, precision)
        images = calibration if precision == "int8" else None
        integers = options.uint8 and (format, precision) == ("litert", "int8")
        print(f"{path} ...", flush=True)
        try:
            write.export(model, path, format, precision=precision, images=images, integer_io=integers, **_suppression(options))
            files[path] = precision
        except Exception as error:  # a converter may raise anything; the other files are still wanted
            if len(wanted) == 1:
                raise
            unwritten += 1
            print(f"{path} could not be written: {str(error).strip() or type(error).__name__}")
    if not files:
        raise ValueError("no file could be written; the lines above tell why")
    timing = {"threads": options.threads, "repeats": options.repeats}
    report: Any
    if boxes:
        judged_files = {path: precision for path, precision in files.items() if options.nms or path.suffix != ".keras"}
        report = check_boxes(predictor.model, judged_files, judged, **_chosen(options), **timing)
    else:
        report = check.check_files(predictor.model, files, judged, agreement=options.agreement, **timing)
    return max(_tell(report, list(files)), int(unwritten > 0))


def _wanted(options) -> list[tuple[str, str]]:
    """(format, precision) of every file, in order; what does not exist is passed over only where "all" was said."""
    out = options.out
    formats = options.format or [write.format_of(out) if out is not None and out.suffix else "keras"]
    precisions = options.precision or ["fp32"]
    every = "all" in formats or "all" in precisions
    formats = list(write.FORMATS) if "all" in formats else list(dict.fromkeys(formats))
    precisions = ["fp32", "fp16", "int8"] if "all" in precisions else list(dict.fromkeys(precisions))
    if "int8" in precisions and every and options.data is None:
        precisions.remove("int8")
        print("int8 is left out: it needs pictures, --data FOLDER")
    found = []
    for format in formats:
        for precision in precisions:
            if precision not in write.PRECISIONS[format]:
                if not every:
                    raise ValueError(f"{format} is written in {', '.join(write.PRECISIONS[format])}, not in {precision}")
            elif every and (lacking := write.missing(format, precision)):
                print(f"{format} in {precision} is left out: it needs {' and '.join(lacking)} (pip install {' '.join(lacking)})")
            else:
                found.append((format, precision))
    if not found:
        raise ValueError("nothing is left to write: there is no such format in this precision; `zoo export --help` lists them")
    if options.uint8 and ("litert", "int8") not in found:
        raise ValueError("--uint8 goes with --format litert --precision int8")
    return found


def _fits(options, boxes: bool) -> None:
    if not boxes and (options.nms or _chosen(options) != _CHOSEN):
        raise ValueError("--nms, --threshold, --iou and --most go with a detector, and this model is none")
    if boxes and (options.fold or options.uint8 or options.agreement is not None):
        raise ValueError("--fold, --uint8 and --agreement go with a classifier, and this model is a detector")


def _chosen(options) -> dict:
    return {name: getattr(options, name) for name in _CHOSEN}


def _suppression(options) -> dict:
    return {"nms": True, "suppression": _chosen(options)} if options.nms else {}


def _subject(options):
    """(Predictor or Locator, stem of the file names, folder that the files go to)."""
    from zoo import locate, predict

    path = Path(options.model)
    if path.is_dir() or path.suffix == ".keras":
        if options.weights:
            raise ValueError("--weights goes with a row of `zoo list`: a run or a file brings its own weights")
        found: Any = locate.from_folder(path) if path.is_dir() else predict.from_file(path)
        if not path.is_dir() and is_detector(found.model):
            found = locate.of(found.model, note=found.note)
        return found, "model" if path.is_dir() else path.stem, (path if path.is_dir() else path.parent) / "exports"
    home = locate if locate.knows(options.model) else predict
    found = home.from_registry(options.model, options.weights)
    if not options.weights:
        print(f"{options.model}: random weights; --weights imagenet gives the published ones where there are any")
    return found, options.model, Path("exports")


def _place(options, wanted, home: Path, stem: str, format: str, precision: str) -> Path:
    """--out names the file where there is one, else the folder."""
    ending = "_saved_model" if format == "saved_model" else write.FORMATS[format]
    name = f"{stem}{'' if precision == 'fp32' else f'_{precision}'}{ending}"
    if options.out is None:
        return home / name
    if len(wanted) == 1 and (options.out.suffix or format == "saved_model"):
        return options.out
    if options.out.suffix:
        raise ValueError(f"{options.out} is one file, but {len(wanted)} are asked for; give a folder")
    return options.out / name


def _pictures(predictor, options):
    """(images for int8, images to check on, a line that says which). Different ones, as long as there are enough."""
    if options.data is None:
        from zoo.data import backgrounds

        random, names = np.random.default_rng(_SEED), list(backgrounds.SURFACES)
        side = max(predictor.size)
        pieces = [backgrounds.paint(backgrounds.choose(names[index % len(names)], random), side) for index in range(options.images)]
        batch = predictor.prepare([piece.round().astype("uint8") for piece in pieces])
        return None, batch, f"checked on {len(batch)} pieces of scikit-image's photographs; --data FOLDER checks on your own pictures"
    from zoo.data.listing import pictures

    files = pictures(options.data)
    if not files:
        raise ValueError(f"there is no picture in {options.data}; give a folder of pictures, in class folders or not")
    order = np.random.default_rng(_SEED).permutation(len(files))[: 2 * options.images]  # the classes mixed
    chosen = predictor.prepare([files[index] for index in order])
    half = (len(chosen) + 1) // 2
    calibration, judged = chosen[:half], chosen[half:] if len(chosen) > 1 else chosen
    return calibration, judged, f"{len(calibration)} pictures of {options.data} for int8, {len(judged)} others to check on"


def _tell(report, paths: list[Path]) -> int:
    """Print the table, leave it with its picture beside the files, and set aside what failed."""
    folder = paths[0].parent
    print(report.markdown())
    atomic.write(folder / "check.md", report.markdown())
    atomic.write(folder / "check.json", report.json())
    if report.repeats:
        with atomic.replacing(folder / "check.png") as part:
            _figure(report).savefig(part, format="png", dpi=130)
    names = {row.name for row in report.failed}
    for path in paths:
        if path.name not in names:
            continue
        for part in [path] if path.is_dir() else check.parts_of(path):
            os.replace(part, _free(part.with_name(f"{part.name}.failed")))
        print(f"{path} does not agree with the model: it is kept as {path.name}.failed; the table tells why")
    return int(bool(names))


def _free(path: Path) -> Path:
    """The same path, with an older failed export of that name removed."""
    import shutil

    if path.is_dir():
        shutil.rmtree(path)
    return path


def _figure(report):
    from zoo import viz

    rows = [row for row in report.rows if row.bytes]
    times = {f"batch {batch}": [row.milliseconds[batch] for row in rows] for batch in sorted(rows[0].milliseconds)}
    names, sizes = [f"{row.format} {row.precision}" for row in rows], [row.bytes / 1e6 for row in rows]
    return viz.exports(names, sizes, times, [row.top1 for row in rows], [bool(row.problem) for row in rows])
