"""A project's `Config` dataclass as a command line: one option per field, `--quick` for the minutes-long version."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import types
import typing
from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol, Self, TypeVar


class Configuration(Protocol):
    """A dataclass with a `quick()` version of itself; it may also have `preset(data)`."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field]]

    @classmethod
    def quick(cls) -> Self: ...


C = TypeVar("C", bound=Configuration)


def configure(config: type[C], description: str, arguments: Sequence[str] | None = None) -> C:
    """Parse `arguments` (default: sys.argv) into an instance of the frozen dataclass `config`.

    Field names become options (`batch_size` -> `--batch-size`); fields of type bool become flags with a `--no-` form.
    The defaults come from `config.preset(data)` where the class has it, so that each kind of data brings its own numbers,
    and from `config.quick()` with `--quick`. A field's `metadata={"help": ...}` is its help text.
    """
    parser = argparse.ArgumentParser(description=description.strip(), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the small version: minutes on two cores, on generated data")
    hints = typing.get_type_hints(config)
    for field in dataclasses.fields(config):
        text = field.metadata.get("help", "")
        option = "--" + field.name.replace("_", "-")
        kind = _plain(hints[field.name])
        if kind is bool:
            parser.add_argument(option, action=argparse.BooleanOptionalAction, default=None, help=text)
        else:
            parser.add_argument(option, type=kind, default=None, metavar=field.name.upper(), help=text)
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    quick = given.pop("quick")
    if quick and given.get("data", "scenes") != "scenes":
        parser.error("--quick runs on the generated data; leave out --data, or leave out --quick and set --epochs")
    preset = getattr(config, "preset", None)
    start = config.quick() if quick else preset(given.get("data")) if preset else config()
    return dataclasses.replace(start, **given)


def start(main: Callable[[C], object], config: type[C], description: str, arguments: Sequence[str] | None = None) -> int:
    """Run `main` on the parsed options, as a program: returns the exit status.

    A wrong input (ValueError, OSError, ImportError) is one line on stderr and status 2; a training that cannot go on (a RuntimeError
    of the zoo's own, such as NotFinite or OutOfMemory) is one line and status 1; Ctrl-C is status 130 and says how to go on.
    ZOO_DEBUG=1 shows the traceback instead. Any other error is a fault of the program and keeps its traceback.
    """
    options = configure(config, description, arguments)
    try:
        main(options)
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from the last finished epoch", file=sys.stderr)
        return 130
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        stopped = isinstance(error, RuntimeError)
        if os.environ.get("ZOO_DEBUG") or (stopped and not type(error).__module__.startswith("zoo.")):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1 if stopped else 2
    return 0


def _plain(hint):
    """`int | None` -> int; a plain type -> itself."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return next(kind for kind in typing.get_args(hint) if kind is not type(None))
    return hint
