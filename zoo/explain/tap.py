"""Listen to, and change, what one operation of a model returns: for one thread, for one block, without a trace left behind.

An operation's `call` is looked up on the instance every time Keras runs it, whatever the kind of the model around it
(functional, Sequential, nested, subclassed, shared). Replacing it there is therefore the one mechanism that works for all.
Other threads that use the model meanwhile get the original, so a prediction never sees somebody else's explanation.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

_MUTEX = threading.Lock()
_INSTALLED: dict[tuple[int, str], _Dispatch] = {}


@dataclass
class _Dispatch:
    """What stands in for one attribute: the original and the replacement of each thread that asked for one."""

    original: Callable
    was_on_instance: bool
    replacements: list[tuple[int, Callable]] = field(default_factory=list)

    def __call__(self, *args, **kwargs):
        replacement = next((found for thread, found in reversed(self.replacements) if thread == threading.get_ident()), None)
        if replacement is None:
            return self.original(*args, **kwargs)
        return replacement(self.original, *args, **kwargs)


@contextlib.contextmanager
def substituted(owner: Any, name: str, replacement: Callable) -> Iterator[None]:
    """Within the block and this thread, `owner.name(*args)` is `replacement(original, *args)`. Undone after an exception too."""
    thread = threading.get_ident()
    with _MUTEX:
        dispatch = _INSTALLED.get((id(owner), name))
        if dispatch is None:
            dispatch = _Dispatch(getattr(owner, name), name in vars(owner))
            _INSTALLED[id(owner), name] = dispatch
            vars(owner)[name] = dispatch  # past Keras' attribute tracking, which would count it as state of the layer
        entry = (thread, replacement)
        dispatch.replacements = [*dispatch.replacements, entry]
    try:
        yield
    finally:
        with _MUTEX:
            remaining = list(dispatch.replacements)
            remaining.reverse()
            remaining.remove(entry)
            dispatch.replacements = remaining[::-1]
            if not remaining:
                del _INSTALLED[id(owner), name]
                if dispatch.was_on_instance:
                    vars(owner)[name] = dispatch.original
                else:
                    del vars(owner)[name]


def method(operation) -> str:
    """The name of the method that Keras runs when `operation` is called on tensors."""
    return "call" if getattr(operation, "quantization_mode", None) is None else "quantized_call"


@contextlib.contextmanager
def tapped(operation, call: int, tap: Callable) -> Iterator[None]:
    """Within the block, the map of call number `call` (from 0) of `operation` goes through `tap(map) -> map`.

    The map is the operation's output (b, h, w, c). An operation that ends the space (a global pooling, a flatten) has none:
    then it is its input. A convolution that gives 1x1 keeps its own.
    """
    seen = 0

    def replacement(original, *args, **kwargs):
        nonlocal seen
        output = original(*args, **kwargs)
        seen += 1
        if seen - 1 != call:
            return output
        collapses = len(getattr(output, "shape", ())) != 4 or not getattr(operation, "weights", None)
        if not is_map(output) and collapses and args and is_map(args[0]):
            return original(tap(args[0]), *args[1:], **kwargs)
        if len(getattr(output, "shape", ())) == 4:
            return tap(output)
        raise ValueError(f"the layer {operation.name!r} gives {described(output)}, wanted one map (b, h, w, c); choose another layer")

    with substituted(operation, method(operation), replacement):
        yield
    if seen <= call:
        raise ValueError(
            f"the layer {operation.name!r} is called {seen} times when the model runs, call number {call} (from 0) was wanted; "
            "choose a layer that the model uses"
        )


def is_map(x) -> bool:
    """Whether x is one tensor (b, h, w, c) with more than one place; unknown sizes count as more than one."""
    shape = getattr(x, "shape", None)
    return shape is not None and is_map_shape(shape)


def is_map_shape(shape) -> bool:
    return len(shape) == 4 and any(side is None or side > 1 for side in shape[1:3])


def described(x) -> str:
    """A tensor or structure in words, for an error."""
    shape = getattr(x, "shape", None)
    return f"a {type(x).__name__} of several tensors" if shape is None else f"shape {tuple(shape)}"
