"""`python -m benchmarks.training`: an epoch of training by zoo.train.fit, beside plain Keras and a plain PyTorch loop, in one run.

    python -m benchmarks.training                                every row; writes benchmarks/results/training.md and .json
    python -m benchmarks.training --rows resnet_micro --size 32 --steps 4 --epochs 2 --seconds 0       small; prints only

Each contender is a process that trains on the same noise and waits before every epoch until it is asked, so they take turns:

    keras    keras.applications, `compile("adamw")` and `fit` on arrays, images preprocessed beforehand
    bare     our network, compiled as the plain recipe says, and Keras' own `fit` on the same batches as ours
    zoo      our network by zoo.train.fit with the plain recipe: bare and checks, guards, best weights, a checkpoint after each epoch
    tuned    the same with the recipe that `zoo.train.tune` chose
    torch    torchvision's network in the usual loop: AdamW, cross-entropy, float32

A fifth of the table is the measured choice against every fixed one, timed anew.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time

from benchmarks import workers

ROWS = {  # row of the zoo: (name in keras.applications, name in torchvision)
    "mobilenet_v2": ("MobileNetV2", "mobilenet_v2"),
    "resnet18": (None, "resnet18"),
    "resnet50": (None, "resnet50"),
    "resnet50_v1": ("ResNet50", None),
}
CONTENDERS = ("keras", "bare", "zoo", "tuned", "torch")
CLASSES = 10
OVERHEAD, BEST = 0.02, 0.05
"""The bars: zoo over bare, per step; and the measured choice over the best fixed one."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", default=list(ROWS))
    parser.add_argument("--size", type=int, default=96, help="side of the images (default 96)")
    parser.add_argument("--batch", type=int, default=16, help="images per step (default 16)")
    parser.add_argument("--steps", type=int, default=64, help="steps of an epoch (default 64)")
    parser.add_argument("--epochs", type=int, default=7, help="measured epochs (default 7); one more goes before them")
    parser.add_argument("--seconds", type=float, default=60.0, help="time for tuning (default 60)")
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS), choices=CONTENDERS)
    parser.add_argument("--write", action="store_true", help="write the results though not every row was asked for")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        asked = json.loads(options.worker)
        return {"keras": keras_side, "torch": torch_side, "choice": choice}.get(asked["contender"], zoo_side)(asked)
    asked = {name: getattr(options, name) for name in ("size", "batch", "steps", "epochs", "seconds")}
    measured = [row(name, asked, options.contenders) for name in options.rows]
    text = page(measured, asked)
    print(text)
    if options.write or (options.rows == list(ROWS) and options.contenders == list(CONTENDERS)):
        workers.write("training", text, {"asked": asked, "measured": measured})
    return 0


def row(name: str, asked: dict, contenders: list[str]) -> dict:
    """{"row", "machine", "kept", "choices", contender: {"whole", "steps"} medians in seconds per epoch}."""
    keras_name, torch_name = ROWS.get(name, (None, None))
    chooser = _start({**asked, "contender": "choice", "row": name})
    chosen = workers.ask(chooser)
    workers.end([chooser])
    running = {}
    for contender in contenders:
        other = {"keras": keras_name, "torch": torch_name}.get(contender, name)
        if other is not None:
            running[contender] = _start({**asked, "contender": contender, "row": other, "recipe": chosen["recipe"]})
    taken: dict[str, list[dict]] = {contender: [] for contender in running}
    for epoch in range(asked["epochs"] + 1):
        for contender, worker in running.items():
            answered = workers.ask(worker)
            if epoch:
                taken[contender].append(answered)
    workers.end(running.values())
    medians = {
        contender: {key: statistics.median(each[key] for each in epochs) for key in ("whole", "steps")}
        for contender, epochs in taken.items()
    }
    overheads = [ours["steps"] / bare["steps"] - 1 for ours, bare in zip(taken.get("zoo", ()), taken.get("bare", ()), strict=False)]
    result = {"row": name, **{key: chosen[key] for key in ("machine", "kept", "choices")}, **medians}
    if overheads:
        result["overhead"] = statistics.median(overheads)
    print(result, file=sys.stderr, flush=True)
    return result


def _start(asked: dict):
    return workers.start("benchmarks.training", "--worker", json.dumps(asked))


def noise(asked: dict):
    """uint8 images (batch * steps, size, size, 3) and labels."""
    import numpy as np

    random = np.random.default_rng(0)
    count = asked["batch"] * asked["steps"]
    return random.integers(0, 256, (count, asked["size"], asked["size"], 3), dtype=np.uint8), random.integers(0, CLASSES, count)


def turns():
    """A Keras callback that waits for a line before every epoch, and answers with the seconds of the one before."""
    import keras

    class Turns(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch:
                workers.answer(whole=time.perf_counter() - self.start, steps=self.last - self.begun)
            if not sys.stdin.readline():
                raise SystemExit(0)
            self.start = self.last = time.perf_counter()
            self.begun = None

        def on_train_batch_begin(self, batch, logs=None):
            self.begun = self.begun or time.perf_counter()

        def on_train_batch_end(self, batch, logs=None):
            self.last = time.perf_counter()

    return Turns()


def _builder(asked: dict):
    import zoo

    return lambda: zoo.classifier(asked["row"], classes=CLASSES, input_shape=(asked["size"], asked["size"], 3))


def choice(asked: dict) -> int:
    """Tune, then time what was kept and every fixed choice anew, in turns."""
    from zoo.train import Recipe, tune
    from zoo.train.stopwatch import Stopwatch, one_batch

    sys.stdin.readline()
    recipe, data = Recipe(batch_size=asked["batch"], epochs=1000), (noise(asked), noise({**asked, "steps": 1}))
    tuned = tune(_builder(asked), data, recipe, seconds=asked["seconds"], refresh=True)
    print(tuned.table(), file=sys.stderr)
    feed = one_batch(data, recipe)[0]
    fixed = [line.switches for line in tuned.rows if line.seconds is not None]
    watches = {str(switches): Stopwatch(_builder(asked), feed, switches, recipe) for switches in fixed}
    taken: dict[str, list[float]] = {name: [] for name in watches}
    for turn in range(asked["epochs"] + 1):
        for name, watch in watches.items():
            seconds = watch.measure(10)
            if turn:
                taken[name].append(seconds)
    chosen = {name: getattr(tuned.recipe, name) for name in ("precision", "jit", "steps_per_execution")}
    kept = next(str(switches) for switches in fixed if vars(switches) == chosen)
    choices = {name: statistics.median(seconds) for name, seconds in taken.items()}
    workers.answer(machine=tuned.device, recipe=chosen, kept=kept, choices=choices)
    return 0


def zoo_side(asked: dict) -> int:
    """bare, zoo and tuned."""
    from zoo.run import Run
    from zoo.train import Recipe, fit
    from zoo.train.arrays import Arrays
    from zoo.train.fit import compile_for

    switches = asked["recipe"] if asked["contender"] == "tuned" else {"precision": "float32", "jit": False}
    recipe = Recipe(batch_size=asked["batch"], epochs=1000, **switches)
    data = (noise(asked), noise({**asked, "steps": 1}))
    with recipe.building():
        model = _builder(asked)()
    if asked["contender"] != "bare":
        with tempfile.TemporaryDirectory() as folder:
            fit(model, data, recipe, Run.open(folder, recipe, name="benchmark"), callbacks=[turns()], verbose=0)
    train, validation = Arrays(*data[0]), Arrays(*data[1])
    compile_for(model, recipe, asked["steps"])
    batches, checked = train.training(asked["batch"], 0), validation.evaluation(asked["batch"])
    model.fit(batches, epochs=1000, steps_per_epoch=asked["steps"], validation_data=checked, callbacks=[turns()], shuffle=False, verbose=0)
    return 0


def keras_side(asked: dict) -> int:
    import keras

    (images, labels), checked = noise(asked), noise({**asked, "steps": 1})
    model = getattr(keras.applications, asked["row"])(
        weights=None, classes=CLASSES, classifier_activation=None, input_shape=(asked["size"], asked["size"], 3)
    )
    model.compile("adamw", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    ready, other = (part.astype("float32") / 127.5 - 1.0 for part in (images, checked[0]))
    model.fit(ready, labels, asked["batch"], 1000, validation_data=(other, checked[1]), callbacks=[turns()], verbose=0)
    return 0


def torch_side(asked: dict) -> int:
    from zoo.verify.torch_side import library

    models = library("torchvision").models
    import torch

    images, labels = (torch.from_numpy(part) for part in noise(asked))
    model = models.get_model(asked["row"], weights=None, num_classes=CLASSES)
    optimizer, criterion = torch.optim.AdamW(model.parameters(), lr=1e-3), torch.nn.CrossEntropyLoss()
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, labels), asked["batch"], shuffle=True)
    while sys.stdin.readline():
        start = time.perf_counter()
        model.train()
        for pictures, truth in loader:
            optimizer.zero_grad()
            loss = criterion(model(pictures.permute(0, 3, 1, 2).float() / 127.5 - 1.0), truth)
            loss.backward()
            optimizer.step()
            loss.item()
        seconds = time.perf_counter() - start
        workers.answer(whole=seconds, steps=seconds)
    return 0


def page(measured: list[dict], asked: dict) -> str:
    lines = [
        "# An epoch of training, measured",
        "",
        f"`python -m benchmarks.training`, {workers.today()}, {measured[0]['machine']}.",
        f"Batches of {asked['batch']} images of {asked['size']} x {asked['size']}, {asked['steps']} steps an epoch, {CLASSES} classes.",
        f"Medians of {asked['epochs']} epochs in turns, in images per second; a ratio above 1 means that the tuned zoo is faster.",
        "An epoch ends with a validation of one batch, except torch's, and ours with a checkpoint.",
        "",
        "| network | keras.applications + fit | zoo network, bare fit | zoo.train.fit | tuned | torch | tuned / keras | tuned / torch |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    count = asked["batch"] * asked["steps"]
    for result in measured:
        cells = [f"{count / result[name]['whole']:,.0f}" if name in result else "-" for name in CONTENDERS]
        ours = result.get("tuned")
        ratios = [f"{result[name]['whole'] / ours['whole']:.2f}" if ours and name in result else "-" for name in ("keras", "torch")]
        name = f"`{result['row']}`"
        lines.append(f"| {' | '.join([name, *cells, *ratios])} |")
    lines += [
        "",
        "| network | overhead of zoo.train.fit on a step | the end of an epoch, with its checkpoint | measured choice | over the best |",
    ]
    lines.append("|---|---:|---:|---|---:|")
    for result in measured:
        best = min(result["choices"].values())
        over = f"{100 * (result['choices'][result['kept']] / best - 1):.1f} %"
        added = f"{100 * result['overhead']:+.1f} %" if "overhead" in result else "-"
        ends = {name: result[name]["whole"] - result[name]["steps"] for name in ("zoo", "bare") if name in result}
        end = f"{1000 * (ends['zoo'] - ends['bare']):+.0f} ms" if len(ends) == 2 else "-"
        lines.append(f"| `{result['row']}` | {added} | {end} | {result['kept']} | {over} |")
    lines += [
        "",
        f"Bars: overhead on a step at most {100 * OVERHEAD:.0f} %; the measured choice at most {100 * BEST:.0f} % over the best fixed one.",
    ]
    lines += ["", "Milliseconds a step of every fixed choice, timed anew after tuning:", ""]
    for result in measured:
        told = "; ".join(f"{name}: {1000 * seconds:.1f}" for name, seconds in sorted(result["choices"].items(), key=lambda item: item[1]))
        lines.append(f"- `{result['row']}`: {told}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
