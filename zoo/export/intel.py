"""OpenVINO and NNCF, imported so that they keep to themselves."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType


def load(name: str) -> ModuleType:
    """`openvino` or `nncf`. Raises ImportError with the cure when it is not installed.

    Both report their import and every conversion to their maker through the package openvino-telemetry, without being asked, and both
    do without where that package is missing. So it is missing here, unless the user has imported it. Nothing in the zoo uses a network
    that was not asked for.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None means: importing it raises ImportError
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"OpenVINO files need {name}; install it with: pip install {name}") from error
