"""A dataclass as a command line."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from zoo.command import configure, start


@dataclass(frozen=True)
class Config:
    data: str = "scenes"
    epochs: int = 5
    rate: float | None = None
    skip_bad: bool = field(default=False, metadata={"help": "skip unreadable files"})

    @classmethod
    def quick(cls):
        return cls(epochs=1)

    @classmethod
    def preset(cls, data):
        return cls(epochs=40) if data == "clothing" else cls()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], Config()),
        (["--quick"], Config(epochs=1)),
        (["--quick", "--epochs", "2"], Config(epochs=2)),
        (["--data", "clothing"], Config(data="clothing", epochs=40)),
        (["--rate", "0.5", "--skip-bad"], Config(rate=0.5, skip_bad=True)),
        (["--no-skip-bad"], Config()),
    ],
)
def test_options_are_the_fields(arguments, expected):
    assert configure(Config, "A lesson.", arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "many"], "invalid int value: 'many'"),
        (["--colour", "red"], "unrecognized arguments: --colour red"),
        (["--quick", "--data", "clothing"], "leave out --data"),
    ],
)
def test_a_wrong_option_says_what_is_wrong(arguments, message, capsys):
    with pytest.raises(SystemExit):
        configure(Config, "A lesson.", arguments)
    assert message in capsys.readouterr().err


def test_help_shows_the_brief_and_the_help_of_a_field(capsys):
    with pytest.raises(SystemExit):
        configure(Config, "Question: why?", ["--help"])
    shown = capsys.readouterr().out
    assert "Question: why?" in shown
    assert "skip unreadable files" in shown


def test_a_wrong_input_is_one_line(capsys, monkeypatch):
    def main(config):
        raise FileNotFoundError(f"no folder {config.data}; choose another")

    assert start(main, Config, "A lesson.", ["--data", "folder:x"]) == 2
    assert capsys.readouterr().err == "error: no folder folder:x; choose another\n"
    monkeypatch.setenv("ZOO_DEBUG", "1")
    with pytest.raises(FileNotFoundError):
        start(main, Config, "A lesson.", [])


class Stopped(RuntimeError):
    """As zoo.train.NotFinite: `start` knows the zoo's own errors by their module."""

    __module__ = "zoo.train.guard"


def test_a_training_that_cannot_go_on_is_one_line_and_status_1(capsys, monkeypatch):
    def main(config):
        raise Stopped("the loss is NaN; lower the rate")

    assert start(main, Config, "A lesson.", []) == 1
    assert capsys.readouterr().err == "error: the loss is NaN; lower the rate\n"
    monkeypatch.setenv("ZOO_DEBUG", "1")
    with pytest.raises(Stopped):
        start(main, Config, "A lesson.", [])


@pytest.mark.parametrize("error", [RuntimeError("of a library"), RecursionError("deep"), KeyError("forgotten")])
def test_a_fault_of_the_program_keeps_its_traceback(error):
    def main(config):
        raise error

    with pytest.raises(type(error)):
        start(main, Config, "A lesson.", [])


def test_ctrl_c_says_how_to_go_on(capsys):
    def main(config):
        raise KeyboardInterrupt

    assert start(main, Config, "A lesson.", []) == 130
    assert "the same command goes on" in capsys.readouterr().err


def test_a_finished_run_and_a_broken_promise_keep_their_status():
    def broken(config):
        raise SystemExit("broken promise")

    assert start(lambda config: None, Config, "A lesson.", []) == 0
    with pytest.raises(SystemExit, match="broken promise"):
        start(broken, Config, "A lesson.", [])
