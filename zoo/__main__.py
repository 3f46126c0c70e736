"""`python -m zoo` and the console script `zoo`: the whole house from a terminal. `zoo COMMAND --help` explains each command."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status. A wrong input prints one line and returns 2."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser(arguments[:1] == ["train"]).parse_args(arguments)
    try:
        return options.run(options) or 0
    except (ValueError, OSError, ImportError, KeyError) as error:
        if os.environ.get("ZOO_DEBUG"):
            raise
        print(f"zoo {options.command}: {error.args[0] if isinstance(error, KeyError) else error}", file=sys.stderr)
        return 2


def parser(training: bool = False) -> argparse.ArgumentParser:
    """All commands. The options of `zoo train` are the fields of a recipe, whose import loads Keras, so they are there on request."""
    top = argparse.ArgumentParser(prog="zoo", description="A Keras 3 vision model zoo with guided projects. ZOO_DEBUG=1 shows tracebacks.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    add = _adder(commands)
    command = add("list", list_models, "the models, one line each")
    command.add_argument("pattern", nargs="?", default="*", help='shell pattern such as "resnet*"')
    command.add_argument("--weights", nargs="?", const=True, metavar="TAG", help="only those with published weights (of this tag)")
    command.add_argument("--licence", help='of the weights: "commercial" for those that allow commercial use, or a pattern like "cc-by-*"')
    command.add_argument("--params", metavar="'<10M'", help="number of parameters; several comparisons with commas")
    command.add_argument("--gmacs", metavar="'<1G'", help="multiply-adds for one image")
    command.add_argument("--json", action="store_true", help="one JSON list instead of a table")

    command = add("info", info, "everything known about one model")
    command.add_argument("model")
    command.add_argument("--json", action="store_true")

    command = add("anatomy", anatomy, "draw a model by stage, what its maps show of a photograph, and a table of its layers")
    command.add_argument("model")
    command.add_argument("--out", "-o", type=Path, default=Path("."), help="folder for the two pictures and the table (default: here)")
    command.add_argument("--image", type=Path, metavar="PHOTO", help="photograph for the maps (default: one that scikit-image ships)")
    command.add_argument("--size", type=int, help="side of the input in pixels (default: the model's)")
    command.add_argument("--weights", help='tag such as "imagenet", or a file (default: random weights)')

    command = add("predict", predict, "name what pictures show")
    _model_options(command)
    command.add_argument("--top", type=int, default=5, help="how many classes to print (default 5)")
    command.add_argument("--json", action="store_true")

    command = add("explain", explain, "draw where the model looked, by any method, and say how far to trust it")
    which = _model_options(command, images="*")
    which.add_argument("--from", dest="parameters", type=Path, metavar="FILE", help="repeat what --json or the page wrote")
    command.add_argument("--method", help="name of a method; list shows all (default gradcam_plus_plus)")
    command.add_argument("--target", help="class name or index (default: the predicted class)")
    command.add_argument("--contrast", metavar="CLASS", help="why the target and not this class?")
    command.add_argument("--layer", help="layer name (default: the input of the last global pooling)")
    command.add_argument("--options", metavar="JSON", help="""options of the method, such as '{"steps": 100}'""")
    command.add_argument("--estimate", action="store_true", help="say what it will cost, and stop")
    command.add_argument("--trust", action="store_true", help="print how far to trust the map, beside maps that know nothing of the model")
    command.add_argument("--field", action="store_true", help="outline what the hottest cell of the layer saw")
    command.add_argument("--alpha", type=float, help="opacity of the heat, 0 to 1 (default 0.5)")
    command.add_argument("--colormap", choices=("inferno", "viridis", "cividis"), help="default inferno")
    command.add_argument("--side", type=int, metavar="PIXELS", help="draw on the picture, so large (default: as the model saw it)")
    command.add_argument("--out", type=Path, default=Path("."), help="folder for the overlays (default: here)")
    command.add_argument("--json", type=Path, metavar="FILE", help="write everything that is needed to draw the same picture again")

    command = add("similar", similar, "find the pictures of a folder that resemble one, or each other")
    command.add_argument("image", type=Path, metavar="IMAGE")
    command.add_argument(
        "folder", type=Path, metavar="FOLDER", help="searched with its sub-folders, whose names are the classes of the map"
    )
    _model_choice(command)
    command.add_argument("-k", type=int, default=5, help="how many to find (default 5)")
    command.add_argument("--layer", help="layer whose features are compared (default: the input of the last global pooling)")
    command.add_argument("--index", type=Path, metavar="FILE", help="keep the features in this .npz file, and use it when it is there")
    command.add_argument("--strip", type=Path, metavar="PNG", help="draw the picture and those that were found")
    command.add_argument("--map", type=Path, metavar="PNG", help="draw the folder as a map of concepts")
    command.add_argument("--method", default="pca", choices=("pca", "tsne", "umap"), help="of the map (default pca)")
    command.add_argument("--duplicates", type=float, nargs="?", const=0.98, metavar="COSINE", help="list near duplicates (default 0.98)")
    command.add_argument("--skip-bad", action="store_true", help="leave out and name files that cannot be decoded, instead of stopping")

    command = add("export", export, "write a model for other runtimes, and check every file against it")
    command.add_argument("model", metavar="RUN", help="a run folder, a .keras file, or a row of `zoo list`")
    command.add_argument("--weights", help="with a row: a published tag such as imagenet, or a weight file")
    formats = ("keras", "onnx", "litert", "saved_model", "openvino", "all")
    command.add_argument("--format", "-f", action="append", choices=formats, help="may be repeated (default: by the suffix of --out)")
    precisions = ("fp32", "fp16", "int8", "dynamic", "all")
    command.add_argument("--precision", "-p", action="append", choices=precisions, help="may be repeated; all: fp32, fp16, int8")
    command.add_argument("--out", "-o", type=Path, metavar="FILE", help="file, or folder for several (default: exports/ beside the model)")
    command.add_argument("--data", type=Path, metavar="FOLDER", help="pictures to measure int8 ranges on, and others to check on")
    command.add_argument("--images", type=int, default=128, metavar="N", help="how many for each of the two (default 128)")
    command.add_argument("--uint8", action="store_true", help="LiteRT int8 takes and gives uint8 instead of float32")
    command.add_argument("--fold", action="store_true", help="fold batch normalisation first (for .keras and SavedModel)")
    command.add_argument("--threads", type=int, help="per runtime (default: all that this process may use)")
    command.add_argument("--repeats", type=int, default=10, help="timed calls per file and batch size; 0: none (default 10)")
    command.add_argument("--agreement", type=float, help="share of images that must keep their class (default: by precision)")

    command.add_argument(
        "--nms", action="store_true", help="a detector's suppression inside the file: boxes, scores, classes, count come out"
    )
    command.add_argument("--threshold", type=float, default=0.25, help="of a detector's scores, for --nms and the check (default 0.25)")
    command.add_argument("--iou", type=float, default=0.5, help="overlap above which the weaker box goes (default 0.5)")
    command.add_argument("--most", type=int, default=100, help="boxes of an image at most (default 100)")

    command = add("serve", serve, "answer over HTTP: a picture in, labels or boxes out")
    command.add_argument("run_folder", nargs="?", metavar="RUN", help="a run folder that a project left, such as runs/first_cnn")
    command.add_argument("--model", help="a row of `zoo list` or of `zoo.detect.ROWS`, instead of a run")
    command.add_argument("--weights", help="with --model: a published tag such as imagenet, or a weight file")
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1: this machine only)")
    command.add_argument("--port", type=int, default=8000, help="default 8000; 0: any free one")
    command.add_argument("--queue", type=int, default=8, help="requests that may wait; the next is told to come again (default 8)")

    command = add("verify", verify, "compare a model with the same network of another library, and certify the result")
    command.add_argument("models", nargs="+", metavar="MODEL", help='rows of `zoo list`, or shell patterns such as "resnet*"')
    command.add_argument("--reference", choices=("keras", "timm", "torchvision"), help="only this library (default: every one that has it)")
    command.add_argument("--training", action="store_true", help="compare one training step too")
    command.add_argument("--out", "-o", type=Path, help="folder for the certificates, one JSON file each")

    command = add("bench", bench, "measure on this machine: train (what precision, XLA and fused steps give)")
    command.add_argument("kind", choices=("train",), help="train: a training step, as ratios, and the recipe that follows")
    command.add_argument("model")
    command.add_argument("--size", type=int, help="side of the images in pixels (default: the model's)")
    command.add_argument("--batch", type=int, default=32, help="images per step (default 32)")
    command.add_argument("--seconds", type=float, default=60.0, help="time for the timed steps; compiling comes on top (default 60)")
    command.add_argument("--every", action="store_true", help="measure also what hardly ever wins: float16 on a CPU, torch.compile")
    command.add_argument("--refresh", action="store_true", help="measure again what this machine has measured before")
    command.add_argument("--out", "-o", type=Path, metavar="FILE", help="write the recipe as JSON")

    command = add("train", train, "train a model on your data by a published recipe; the same command resumes")
    if training:
        from zoo.train.command import add_arguments

        add_arguments(command)

    command = add("doctor", doctor, "find bad, empty, duplicate and leaking files in an image folder")
    command.add_argument("folder", type=Path)

    command = add("labels", labels, "convert, examine or draw the labels of objects: COCO, YOLO, VOC, CSV, TFRecord")
    _label_actions(command)

    command = add("watch", watch, "find, follow and count the objects of a video, and draw them")
    command.add_argument("video", type=Path, metavar="VIDEO")
    _model_choice(command)
    command.add_argument("--out", "-o", type=Path, metavar="MP4", help="write the video with its objects drawn (default: only count)")
    command.add_argument("--every", type=int, default=1, metavar="N", help="look at every Nth frame (default 1)")
    command.add_argument("--start", type=int, default=0, metavar="FRAME", help="first frame (default 0)")
    command.add_argument("--stop", type=int, metavar="FRAME", help="stop before this frame (default: at the end)")
    command.add_argument("--threshold", type=float, default=0.5, help="score from which a box is sure (default 0.5)")
    command.add_argument("--line", action="append", default=[], metavar="X1,Y1,X2,Y2", help="count what crosses it; may be repeated")
    command.add_argument("--zone", action="append", default=[], metavar="X1,Y1,...", help="count what enters it; may be repeated")
    command.add_argument("--codec", choices=("h264", "vp9", "mpeg4"), help="of the video written (default h264, else mpeg4)")
    command.add_argument("--json", type=Path, metavar="FILE", help="write the report with all tracks and counts")

    command = add("sets", sets, "the named public data sets: licence, size, source")

    command = add("project", project, "run a guided project from the checkout; further options go to the project")
    command.add_argument("name", nargs="?", help="for example first_cnn; without it the projects are listed")
    command.add_argument("rest", nargs=argparse.REMAINDER)

    command = add("app", app, "open the Streamlit demos in the browser, from the checkout")
    command.add_argument("--port", type=int, default=8501)
    return top


def list_models(options) -> int:
    """Print the catalogue as a table or as JSON."""
    from zoo import catalogue

    chosen = {"weights": options.weights, "licence": options.licence, "parameters": options.params, "gmacs": options.gmacs}
    entries = catalogue.list_models(options.pattern, **chosen)
    if options.json:
        print(json.dumps([entry.as_dict() for entry in entries], indent=2))
        return 0
    if not entries:
        asked = ", ".join(f"{key} {value}" for key, value in chosen.items() if value not in (None, True))
        raise ValueError(f"no model matches {options.pattern!r}{asked and f' with {asked}'}; `zoo list` shows all")
    header = ("model", "parameters", "GMACs", "input", "weights", "licence")
    lines = [header, *((e.name, f"{e.parameters:,}", f"{e.gmacs:.3g}", e.size, e.weights_text, e.licence_text) for e in entries)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        cells = [
            cell.rjust(width) if column in (1, 2) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
    return 0


def info(options) -> int:
    """Print one entry of the catalogue."""
    from zoo import catalogue

    entry = catalogue.info(options.model)
    print(json.dumps(entry.as_dict(), indent=2) if options.json else entry)
    return 0


def anatomy(options) -> int:
    """Write NAME_anatomy.png, NAME_maps.png and NAME_anatomy.csv."""
    from zoo import anatomy as room
    from zoo import atomic, catalogue, create, registry, viz

    name = options.model
    if name not in registry.rows():
        catalogue.info(name)  # tells the closest names
    channels = registry.row(name)[1].input_shape[2]
    shape = None if options.size is None else (options.size, options.size, channels)
    photo = _photo(options.image)
    model = create.classifier(name, weights=options.weights, input_shape=shape)
    backbone = create.backbone(name, weights=options.weights, input_shape=model.input_shape[1:])
    found = room.measure(model, room.levels(backbone))
    options.out.mkdir(parents=True, exist_ok=True)
    image, maps = _maps(backbone, photo)
    titles = {key: f"{key}\n{values.shape[0]}x{values.shape[1]}x{values.shape[2]}" for key, values in maps.items()}
    note = "" if options.weights else " (random weights)"
    figures = {
        f"{name}_anatomy.png": viz.anatomy.drawn(found),
        f"{name}_maps.png": viz.anatomy.maps(f"{name}{note}", image, {titles[key]: values for key, values in maps.items()}),
    }
    atomic.write(options.out / f"{name}_anatomy.csv", found.csv())
    for file, figure in figures.items():
        figure.savefig(options.out / file, dpi=130)
    for file in (*figures, f"{name}_anatomy.csv"):
        print(options.out / file)
    return 0


def predict(options) -> int:
    """Print the most probable classes of every picture."""
    predictor = _predictor(options)
    answers = predictor.top(options.images, options.top)
    if options.json:
        print(json.dumps([{"image": str(p), "top": a} for p, a in zip(options.images, answers, strict=True)], indent=2))
        return 0
    print(predictor.note, file=sys.stderr)
    for path, answer in zip(options.images, answers, strict=True):
        print(path)
        for name, probability in answer:
            print(f"  {probability:6.1%}  {name}")
    return 0


def explain(options) -> int:
    """Write PICTURE_METHOD.png for every picture: the picture under the heat of the asked class."""
    from zoo.explain import command

    return command.run(options)


def similar(options) -> int:
    """Print the nearest pictures of a folder; write the strip, the map and the index that were asked for."""
    from zoo.explain.similar_command import run

    return run(options)


def export(options) -> int:
    """Write files, check them, print the table; the exit status is 1 when one does not agree."""
    from zoo.export import command

    return command.run(options)


def serve(options) -> int:
    """Answer until told to stop; finishes the requests in hand."""
    from zoo.serve import command

    return command.run(options)


def verify(options) -> int:
    """Print one line per comparison, and write the certificates; the exit status is 1 when one fails."""
    from fnmatch import fnmatchcase

    from zoo import catalogue, registry
    from zoo import verify as room
    from zoo.verify.compare import references

    chosen = dict.fromkeys(name for pattern in options.models for name in registry.rows() if fnmatchcase(name, pattern))
    for name in options.models:
        if not any(fnmatchcase(row, name) for row in chosen):
            catalogue.info(name)  # tells the closest names
    if len(options.models) > 1 or options.models[0] not in chosen:
        chosen = {name: None for name in chosen if any(options.reference in (None, known.library) for known in references(name))}
    failed = 0
    for name in chosen:
        for certificate in room.verify(name, options.reference, training=options.training):
            print(certificate, flush=True)
            failed += not certificate.passed
            if options.out:
                certificate.write(options.out)
    return int(failed > 0)


def bench(options) -> int:
    """Print the machine, what each switch gives as a ratio, and the recipe."""
    from zoo.train import bench as room

    tuned = room.train(
        options.model, size=options.size, batch=options.batch, seconds=options.seconds, every=options.every, refresh=options.refresh
    )
    print(room.report(options.model, tuned))
    if options.out:
        room.write(tuned, options.out)
    return 0


def train(options) -> int:
    """Train, or resume, and leave a run folder."""
    from zoo.train.command import run

    return run(options)


def doctor(options) -> int:
    """Print the findings; the exit status is 1 when there are any."""
    from zoo.data import doctor as examine

    findings = examine(options.folder)
    print(findings.table())
    return 1 if findings else 0


def labels(options) -> int:
    """Convert labels, examine and repair them, or draw them on their pictures."""
    from zoo.data.labels.command import run

    return run(options)


def watch(options) -> int:
    """Print what passed and how fast it went; write the video and the report that were asked for."""
    from zoo.video.command import run

    return run(options)


def sets(options) -> int:
    """Print the named public data sets."""
    from zoo.data import sets as room

    print(room.table())
    return 0


def project(options) -> int:
    """Run `python -m projects.NAME` in the checkout."""
    root = _checkout("projects")
    names = sorted(path.stem for path in (root / "projects").glob("*.py") if not path.stem.startswith("_"))
    if options.name is None:
        print("\n".join(names))
        return 0
    if options.name not in names:
        raise ValueError(f"there is no project called {options.name!r}; projects: {', '.join(names)}")
    return subprocess.call([sys.executable, "-m", f"projects.{options.name}", *options.rest], cwd=root)


def app(options) -> int:
    """Start Streamlit on this machine only."""
    root = _checkout("apps")
    command = [sys.executable, "-m", "streamlit", "run", "apps/main.py", f"--server.port={options.port}", "--server.address=127.0.0.1"]
    return subprocess.call(command, cwd=root)


def _adder(commands):
    def add(name: str, run, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        command.set_defaults(run=run)
        return command

    return add


def _label_actions(command: argparse.ArgumentParser) -> None:
    """The options of `zoo labels convert`, `doctor` and `show`."""
    kinds = ("coco", "yolo", "voc", "csv", "tfrecord")
    add = _adder(command.add_subparsers(dest="action", required=True, metavar="ACTION"))
    convert = add("convert", labels, "write labels and pictures in another format, and say what it cannot keep")
    convert.add_argument("source", type=Path, metavar="SRC", help="a folder with labels and pictures, or a label file")
    convert.add_argument("target", type=Path, metavar="DST", help="a new folder")
    convert.add_argument("--to", choices=kinds, required=True)
    convert.add_argument("--pictures", choices=("copy", "link", "none"), default="copy", help="what becomes of them (default copy)")
    convert.add_argument("--rows", choices=("auto", "boxes", "polygons", "pose"), default="auto", help="of YOLO (default: the richest)")
    convert.add_argument("--drawn", choices=("as stated", "upright", "lying"), default="as stated", help="on pictures that EXIF turns")
    convert.add_argument("--skip-bad", action="store_true", help="leave out and count what cannot be read, instead of stopping")
    doctor = add("doctor", labels, "find what would stop a training on these labels, deceive it, or falsify its numbers")
    doctor.add_argument("source", type=Path, metavar="DIR")
    doctor.add_argument("--out", "-o", type=Path, metavar="HTML", help="write one page with pictures of what was found")
    doctor.add_argument("--fix", type=Path, metavar="NEW", help="write a repaired copy into this new folder, and list the changes")
    doctor.add_argument("--near", type=float, default=0.97, metavar="COSINE", help="from which pictures are nearly the same (default 0.97)")
    show = add("show", labels, "draw boxes, outlines and keypoints on the pictures")
    show.add_argument("source", type=Path, metavar="DIR")
    show.add_argument("--out", "-o", type=Path, required=True, metavar="NEW", help="folder for the pictures")
    show.add_argument("--most", type=int, default=24, metavar="N", help="how many, spread evenly (default 24)")
    show.add_argument("--side", type=int, default=960, metavar="PIXELS", help="longest side of what is drawn (default 960)")
    for action in (convert, doctor, show):
        action.add_argument("--from", dest="format", choices=kinds, help="format of the labels (default: recognised)")
        action.add_argument("--images", type=Path, metavar="DIR", help="the pictures, where they do not lie beside the labels")
        action.add_argument("--classes", metavar="A,B", help="names in the order of their numbers, where the labels do not say it")


def _model_options(command: argparse.ArgumentParser, images: str = "+"):
    command.add_argument("images", nargs=images, type=Path, metavar="IMAGE")
    return _model_choice(command, required=images == "+")


def _model_choice(command: argparse.ArgumentParser, required: bool = True):
    which = command.add_mutually_exclusive_group(required=required)
    which.add_argument("--run", dest="run_folder", metavar="FOLDER", help="a run folder that a project left, such as runs/first_cnn")
    which.add_argument("--model", help="a row of `zoo list`; for `watch` one of `zoo.detect.ROWS`")
    command.add_argument("--weights", help="with --model: a published tag such as imagenet, or a weight file")
    return which


def _predictor(options):
    missing = [str(path) for path in options.images if not path.is_file()]
    if missing:
        raise FileNotFoundError(f"no such picture: {', '.join(missing)}")
    from zoo import predict as room

    return room.asked(options)


def _photo(path: Path | None):
    """The user's photograph, or the portrait of Eileen Collins (NASA, public domain) that scikit-image ships; uint8 (h, w, 3)."""
    from zoo.data import backgrounds, decode

    return decode.decode(backgrounds.folder() / "astronaut.png" if path is None else path)


def _maps(backbone, photo):
    """The photograph as the model sees it, uint8 (h, w, 3), and {level: maps (h, w, c)}."""
    import keras

    from zoo.data import decode

    height, width, channels = backbone.input_shape[1:]
    image = decode.resize(photo, (height, width), "crop")
    batch = (image if channels == 3 else image.mean(-1, keepdims=True))[None].astype("float32")
    levels = backbone(batch, training=False)
    return image, {key: keras.ops.convert_to_numpy(values)[0] for key, values in levels.items()}


def _checkout(folder: str) -> Path:
    """Root of the checkout; projects and apps are not part of the installed package."""
    for root in (Path.cwd(), Path(__file__).resolve().parent.parent):
        if (root / folder).is_dir() and (root / "pyproject.toml").is_file():
            return root
    raise FileNotFoundError(f"{folder}/ is not here: it runs from a checkout of the project; clone it and run the command inside")


if __name__ == "__main__":
    sys.exit(main())
