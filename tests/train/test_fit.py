"""fit: it learns, resumes to the bit, keeps the best, and says what is wrong."""

import csv
import dataclasses
import json
import zipfile

import keras
import numpy as np
import pytest

from tests.train.nets import colours, net
from zoo.train import History, Recipe, checkpoint, fit
from zoo.train.fit import OutOfMemory, compile_for
from zoo.train.keeper import best_epoch

DATA = (colours(), colours(12, seed=1))


class Stop(keras.callbacks.Callback):
    """Raise at a chosen step of a chosen epoch, as a power cut would."""

    def __init__(self, epoch, batch):
        super().__init__()
        self.at, self.epoch = (epoch, batch), None

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            raise KeyboardInterrupt


def build(recipe, **keywords):
    with recipe.building():
        return net(**keywords)


def equal(ours, theirs):
    for left, right in zip(ours.variables, theirs.variables, strict=True):
        np.testing.assert_array_equal(checkpoint.value_of(left), checkpoint.value_of(right), err_msg=left.path)


@pytest.mark.backend
def test_learns_writes_everything_and_running_again_only_loads(recipe, start, capsys):
    recipe = dataclasses.replace(recipe, epochs=12, learning_rate=0.05)
    run, model = start(), build(recipe)
    history = fit(model, DATA, recipe, run)
    printed = capsys.readouterr().out
    assert f"keras {keras.__version__}" in printed
    assert "precision float32" in printed
    assert "12 epochs of 4 steps of 8 images" in printed
    assert isinstance(history, History)
    assert [row["epoch"] for row in history.rows] == list(range(1, 13))
    assert history.best["val_accuracy"] == max(row["val_accuracy"] for row in history.rows) > 0.9
    assert json.loads((run.folder / "environment.json").read_text())["training"]["backend"] == keras.backend.backend()
    with run.history.open() as file:
        assert [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)] == history.rows
    kept = {path.name for path in run.checkpoints.iterdir()}
    assert kept == {"last-00011.safetensors", "last-00012.safetensors", "best.safetensors"}
    measured = model.evaluate(*DATA[1], verbose=0, return_dict=True)["accuracy"]
    assert measured == pytest.approx(history.best["val_accuracy"])

    fresh = build(Recipe(seed=99))
    again = fit(fresh, DATA, recipe, start(), callbacks=[Stop(0, 0)])
    assert again == history
    equal(fresh, model)


@pytest.mark.backend
@pytest.mark.parametrize("at", [(0, 1), (1, 0), (2, 3)])
def test_resumes_to_the_bit(recipe, start, at):
    """Dropout, random flip, batch statistics, AdamW, cosine and a moving average: all go on where they were."""
    recipe = dataclasses.replace(recipe, ema=0.5, warmup=0.2)
    whole = build(recipe)
    wanted = fit(whole, DATA, recipe, start("whole"), verbose=0)
    with pytest.raises(KeyboardInterrupt):
        fit(build(recipe), DATA, recipe, start("torn"), callbacks=[Stop(*at)], verbose=0)
    resumed = build(Recipe(seed=77))  # other weights, other seeds: all must come from the checkpoint
    got = fit(resumed, DATA, recipe, start("torn"), verbose=0)
    without = [[{name: value for name, value in row.items() if name != "seconds"} for row in each.rows] for each in (got, wanted)]
    assert without[0] == without[1]
    equal(resumed, whole)
    last = [checkpoint.read(start(name).checkpoints / "last-00003.safetensors")[0] for name in ("whole", "torn")]
    for (name, ours), theirs in zip(last[0].items(), last[1].values(), strict=True):  # the optimiser's slots too
        np.testing.assert_array_equal(ours, theirs, err_msg=name)


def test_seed_states_are_in_the_checkpoint_and_move(recipe, start):
    run = start()
    fit(build(recipe), DATA, recipe, run, verbose=0)
    states = [checkpoint.read(path)[0] for path in checkpoint.Checkpoints(run.checkpoints).lasts()]
    names = [name for name in states[0] if "seed_generator" in name]
    assert len(names) == 2
    for name in names:
        assert not np.array_equal(states[0][name], states[1][name])


def test_another_recipe_or_data_size_is_refused_by_name(recipe, start):
    fit(build(recipe), DATA, dataclasses.replace(recipe, epochs=1), start(), verbose=0)
    with pytest.raises(ValueError, match=r"learning_rate was 0.01, now 0.02.*new run folder"):
        fit(build(recipe), DATA, dataclasses.replace(recipe, epochs=1, learning_rate=0.02), start(), verbose=0)
    with pytest.raises(ValueError, match=r"steps_per_epoch was 4, now 8"):
        fit(build(recipe), (colours(60), DATA[1]), dataclasses.replace(recipe, epochs=1), start(), verbose=0)
    with pytest.raises(ValueError, match=r"weights was '8 arrays, .*', now"):
        fit(build(recipe, classes=4), DATA, dataclasses.replace(recipe, epochs=1), start(), verbose=0)


def test_a_better_epoch_before_the_kill_is_not_overwritten(recipe, start):
    """The best value comes back on resume: a worse epoch afterwards leaves the best file alone."""

    class Worse(keras.callbacks.Callback):
        """From the second epoch on the validation gets worse."""

        def on_epoch_end(self, epoch, logs=None):
            logs["val_accuracy"] = 1.0 - 0.1 * epoch

    with pytest.raises(KeyboardInterrupt):
        fit(build(recipe), DATA, recipe, start(), callbacks=[Worse(), Stop(1, 1)], verbose=0)
    before = (start().checkpoints / "best.safetensors").read_bytes()
    history = fit(build(recipe), DATA, recipe, start(), callbacks=[Worse()], verbose=0)
    assert history.best_epoch == 1
    assert (start().checkpoints / "best.safetensors").read_bytes() == before


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_nan_in_the_first_validation_does_not_block_later_bests(recipe, start):
    class FirstIsNan(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_loss"] = [float("nan"), 0.5, 0.7][epoch]

    recipe = dataclasses.replace(recipe, monitor="val_loss")
    history = fit(build(recipe), DATA, recipe, start(), callbacks=[FirstIsNan()], verbose=0)
    assert history.best_epoch == 2
    assert checkpoint.read(start().checkpoints / "best.safetensors")[1] == {"epoch": 2}


def test_best_epoch_rules():
    rows = [
        {"epoch": 1, "val_accuracy": 0.5, "val_loss": 2.0},
        {"epoch": 2, "val_accuracy": 0.9, "val_loss": 1.5},
        {"epoch": 3, "val_accuracy": 0.9, "val_loss": 1.0},
        {"epoch": 4, "val_accuracy": 0.9, "val_loss": 1.0},
        {"epoch": 5, "val_accuracy": float("nan"), "val_loss": 0.5},
        {"epoch": 6, "val_accuracy": float("inf"), "val_loss": float("-inf")},
    ]
    assert best_epoch([], "val_loss") is None
    assert best_epoch([{"epoch": 1, "val_loss": float("nan")}], "val_loss") is None
    assert best_epoch(rows, "val_accuracy") == 3
    assert best_epoch(rows, "val_loss") == 5


def test_patience_stops_and_survives_a_resume(recipe, start):
    class Flat(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_accuracy"], logs["val_loss"] = (1.0, 0.0) if epoch == 1 else (0.5, 1.0)

    recipe = dataclasses.replace(recipe, epochs=20, patience=3)
    with pytest.raises(KeyboardInterrupt):
        fit(build(recipe), DATA, recipe, start(), callbacks=[Flat(), Stop(3, 0)], verbose=0)
    history = fit(build(recipe), DATA, recipe, start(), callbacks=[Flat()], verbose=0)
    assert (history.best_epoch, len(history.rows)) == (2, 5)
    assert len(fit(build(recipe), DATA, recipe, start(), callbacks=[Stop(5, 0)], verbose=0).rows) == 5


class Counter(keras.callbacks.Callback):
    count = 0

    def on_epoch_end(self, epoch, logs=None):
        self.count += 1

    def state(self):
        return {"count": self.count}

    def load_state(self, state):
        self.count = state["count"]


def test_a_callback_with_state_gets_it_back(recipe, start):
    with pytest.raises(KeyboardInterrupt):
        fit(build(recipe), DATA, recipe, start(), callbacks=[Counter(), Stop(2, 0)], verbose=0)
    counter = Counter()
    fit(build(recipe), DATA, recipe, start(), callbacks=[counter], verbose=0)
    assert counter.count == 3


def test_another_number_of_callbacks_with_state_is_refused_until_the_end(recipe, start):
    with pytest.raises(KeyboardInterrupt):
        fit(build(recipe), DATA, recipe, start(), callbacks=[Counter(), Stop(2, 0)], verbose=0)
    model = build(recipe)
    for callbacks, number in (([], 0), ([Counter(), Counter()], 2)):
        with pytest.raises(ValueError, match=f"started with 1 callbacks that keep a state, now there are {number}.*same callbacks"):
            fit(model, DATA, recipe, start(), callbacks=callbacks, verbose=0)
    equal(model, build(recipe))
    whole = fit(model, DATA, recipe, start(), callbacks=[Counter()], verbose=0)
    assert fit(build(recipe), DATA, recipe, start(), verbose=0) == whole


@pytest.mark.parametrize("tail", ["4,0.1,0.", "\x00\x00\x00", ""])
def test_a_torn_history_is_repaired(recipe, start, tail):
    with pytest.raises(KeyboardInterrupt):
        fit(build(recipe), DATA, recipe, start(), callbacks=[Stop(2, 0)], verbose=0)
    path = start().history
    sound = path.read_text()
    path.write_text(sound + tail if tail else sound[:30])
    history = fit(build(recipe), DATA, recipe, start(), verbose=0)
    text = path.read_text()
    assert text.startswith(sound)
    assert len(text.splitlines()) == 1 + len(history.rows) == 4


def test_a_history_without_checkpoint_is_set_aside(recipe, start):
    run = start()
    run.history.write_text("epoch,loss\n1,0.5\n")
    with pytest.warns(RuntimeWarning, match=r"kept as history\.1\.csv and training starts at epoch 1"):
        fit(build(recipe), DATA, recipe, run, verbose=0)
    assert (run.folder / "history.1.csv").read_text() == "epoch,loss\n1,0.5\n"


def test_leftovers_of_a_kill_are_swept(recipe, start):
    run = start()
    run.checkpoints.mkdir(exist_ok=True)
    left = [
        run.checkpoints / ".last-00001.safetensors-abc.safetensors",
        run.folder / ".model.keras-x.keras",
        run.folder / ".history.csv-x.csv",
    ]
    for path in left:
        path.write_bytes(b"half")
    fit(build(recipe), DATA, recipe, run, verbose=0)
    assert not any(path.exists() for path in left)
    assert not list(run.folder.glob("**/.*"))


def test_a_damaged_last_checkpoint_falls_back_to_the_one_before(recipe, start):
    whole = build(recipe)
    fit(whole, DATA, recipe, start("whole"), verbose=0)
    with pytest.raises(KeyboardInterrupt):
        fit(build(recipe), DATA, recipe, start(), callbacks=[Stop(2, 0)], verbose=0)
    path = start().checkpoints / "last-00002.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    resumed = build(recipe)
    with pytest.warns(RuntimeWarning, match=r"CHECKPOINT DAMAGED: .*last-00002.*digest differs.*going back to the one before"):
        fit(resumed, DATA, recipe, start(), verbose=0)
    equal(resumed, whole)


@pytest.mark.backend
def test_the_average_is_validated_and_kept(recipe, start):
    """ema = 0.5: the average is recomputed here from the raw weights after every update."""
    recipe = dataclasses.replace(recipe, ema=0.5, epochs=2, monitor="val_loss")
    seen = []

    class Average(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if hasattr(self.model, "jax_state_sync"):
                self.model.jax_state_sync()
            raw = [checkpoint.value_of(variable) for variable in self.model.trainable_variables]
            seen.append(raw if not seen else [0.5 * old + 0.5 * new for old, new in zip(seen[-1], raw, strict=True)])

    model = build(recipe)
    history = fit(model, DATA, recipe, start(), callbacks=[Average()], verbose=0)
    for ours, wanted in zip(model.trainable_variables, seen[4 * history.best_epoch - 1], strict=True):
        np.testing.assert_allclose(checkpoint.value_of(ours), wanted, rtol=1e-5, atol=1e-6)
    measured = model.evaluate(*DATA[1], verbose=0, return_dict=True)
    assert measured["loss"] == pytest.approx(history.best["val_loss"], rel=1e-5)


def test_an_average_longer_than_the_training_warns(recipe, start):
    with pytest.warns(UserWarning, match="ema=0.999 averages over about 1000 updates, but the whole training has 12"):
        fit(build(recipe), DATA, dataclasses.replace(recipe, ema=0.999), start(), verbose=0)


@pytest.mark.backend
def test_fused_steps_change_nothing_but_speed(recipe, start, capsys):
    """7 would fetch 7 batches where an epoch has 4, so 4 are fused; torch refuses."""
    fused = dataclasses.replace(recipe, steps_per_execution=7)
    if keras.backend.backend() == "torch":
        with pytest.raises(ValueError, match="on torch say steps_per_execution=1"):
            fit(build(recipe), DATA, fused, start(), verbose=0)
        return
    one, many = build(recipe), build(recipe)
    fit(one, DATA, recipe, start("one"), verbose=0)
    fit(many, DATA, fused, start("many"), verbose=0)
    assert many.steps_per_execution == 4
    for ours, theirs in zip(many.get_weights(), one.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.backend
def test_the_precision_is_that_of_the_building_and_put_back(recipe, start):
    half = dataclasses.replace(recipe, precision="mixed_bfloat16", epochs=1)
    with pytest.raises(ValueError, match=r"asks for precision 'mixed_bfloat16', but the model was built in 'float32'.*recipe.building"):
        fit(build(recipe), DATA, half, start(), verbose=0)
    with pytest.raises(ValueError, match="asks for precision 'float32', but the model was built in 'mixed_bfloat16'"):
        fit(build(half), DATA, recipe, start(), verbose=0)
    model = build(half)
    fit(model, DATA, half, start(), verbose=0)
    assert keras.config.dtype_policy().name == "float32"
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}


def test_float16_skips_an_overflow_and_resumes(recipe, start):
    half = dataclasses.replace(recipe, precision="mixed_float16")
    whole, resumed = build(half), build(half)
    fit(whole, DATA, half, start("whole"), verbose=0)
    with pytest.raises(KeyboardInterrupt):
        fit(build(half), DATA, half, start(), callbacks=[Stop(1, 1)], verbose=0)
    fit(resumed, DATA, half, start(), verbose=0)
    equal(resumed, whole)


@pytest.mark.backend
def test_the_saved_model_loads_without_the_zoo(recipe, start):
    run, model = start(), build(recipe)
    fit(model, DATA, recipe, run, verbose=0)
    with zipfile.ZipFile(run.model) as archive:
        config = archive.read("config.json").decode()
    assert not json.loads(config).get("compile_config")
    assert "zoo" not in config
    assert run.model.stat().st_size < 60_000
    loaded = keras.saving.load_model(run.model)
    np.testing.assert_array_equal(loaded.predict_on_batch(DATA[1][0]), model.predict_on_batch(DATA[1][0]))
    assert model.optimizer is not None
    assert model.compiled


def test_out_of_memory_says_what_to_do(recipe, start):
    class Greedy(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            raise type("ResourceExhaustedError", (Exception,), {})("OOM when allocating tensor with shape[32,64]\nlong trace")

    told = r"batch of 8 images.*Try batch_size=4, which was tried and fits, .*Cause: OOM when allocating tensor with shape\[32,64\]$"
    with pytest.raises(OutOfMemory, match=told):
        fit(build(recipe), DATA, recipe, start(), callbacks=[Greedy()], verbose=0)
    for error in (MemoryError(), RuntimeError("CUDA out of memory. Tried"), RuntimeError("RESOURCE_EXHAUSTED: Out of memory")):
        with pytest.raises(OutOfMemory, match="did not fit into memory"):
            fit(build(recipe), DATA, recipe, start(), callbacks=[_Raise(error)], verbose=0)
    with pytest.raises(RuntimeError, match="^another$"):
        fit(build(recipe), DATA, recipe, start(), callbacks=[_Raise(RuntimeError("another"))], verbose=0)


class _Raise(keras.callbacks.Callback):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def on_train_begin(self, logs=None):
        raise self.error


def test_a_full_disk_leaves_the_last_checkpoint(recipe, start, monkeypatch):
    class Fill(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                usage = type("usage", (), {"free": 1000})
                monkeypatch.setattr(checkpoint.shutil, "disk_usage", lambda folder: usage)

    whole = build(recipe)
    fit(whole, DATA, recipe, start("whole"), verbose=0)
    with pytest.raises(checkpoint.DiskFull, match=r"MB free in .*, got 0.0 MB.*run the same command again to resume"):
        fit(build(recipe), DATA, recipe, start(), callbacks=[Fill()], verbose=0)
    assert len(checkpoint.Checkpoints(start().checkpoints).lasts()) == 2
    monkeypatch.undo()
    resumed = build(recipe)
    fit(resumed, DATA, recipe, start(), verbose=0)
    equal(resumed, whole)


def test_bad_data_is_refused_before_anything_is_written(recipe, start):
    images, labels = colours()
    with pytest.raises(ValueError, match=r"label 5 \(position 0; 8 of 8\) is outside \[0, 3\).*Build with classes=6"):
        fit(build(recipe), ((images, labels + 3), DATA[1]), recipe, start(), verbose=0)
    rare = labels.copy()
    rare[29] = 7  # perhaps not in the first batch
    with pytest.raises(ValueError, match=r"label 7 \(position .*outside \[0, 3\)"):
        fit(build(recipe), ((images, rare), DATA[1]), recipe, start(), verbose=0)
    with pytest.raises(ValueError, match=r"label -1 "):
        fit(build(recipe), (DATA[0], (images, labels - 1)), recipe, start(), verbose=0)
    with pytest.raises(ValueError, match="NaN or infinity"):
        fit(build(recipe), ((np.full(images.shape, np.nan, "float32"), labels), DATA[1]), recipe, start(), verbose=0)
    assert not list(start().checkpoints.iterdir())


@pytest.mark.parametrize("data", [(1, 2), ((1, 2),), object()])
def test_data_of_another_form_is_refused(recipe, start, data):
    with pytest.raises(ValueError, match="wanted data "):
        fit(build(recipe), data, recipe, start(), verbose=0)


@pytest.mark.backend
def test_own_loss_and_metrics(recipe, start):
    image = keras.Input((4, 4, 1))
    model = keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(image)))
    x = np.random.default_rng(0).uniform(0, 2, (16, 4, 4, 1)).astype("float32")
    pairs = ((x, x.mean(axis=(1, 2))), (x, x.mean(axis=(1, 2))))
    recipe = dataclasses.replace(recipe, monitor="val_loss", epochs=2)
    history = fit(model, pairs, recipe, start(), loss="mse", metrics=["mae"], verbose=0)
    assert set(history.rows[0]) == {"epoch", "loss", "mae", "val_loss", "val_mae", "learning_rate", "seconds"}


def test_learning_rate_of_the_rows_follows_the_schedule(recipe, start):
    recipe = dataclasses.replace(recipe, warmup=0.0)
    history = fit(build(recipe), DATA, recipe, start(), verbose=0)
    wanted = 0.01 * 0.5 * (1 + np.cos(np.pi * np.array([4, 8, 12]) / 12))
    np.testing.assert_allclose([row["learning_rate"] for row in history.rows], wanted, rtol=1e-5, atol=1e-9)


def test_a_sequential_model_is_built_on_the_first_batch(recipe, start):
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3)])
    assert fit(model, DATA, dataclasses.replace(recipe, epochs=1), start(), verbose=0).best_epoch == 1


def test_jit_is_passed_on(recipe):
    model = build(recipe)
    compile_for(model, dataclasses.replace(recipe, jit=True), 4)
    assert model.jit_compile is True
    compile_for(model, dataclasses.replace(recipe, jit=False), 4)
    assert model.jit_compile is False
