"""Which machine this is: what a measurement depends on, as facts for a cache and as a line for a reader."""

from __future__ import annotations

import platform
import resource
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import keras

from zoo.cores import cores
from zoo.train import startup

_PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "jax", "jaxlib", "torch")


def facts() -> dict:
    """Processor, cores this process may use, device, GPUs, backend and versions, as JSON holds them."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "cores": cores(),
        "device": startup.device(),
        "gpus": _gpus(),
        "backend": keras.backend.backend(),
        "python": platform.python_version(),
        "versions": versions,
    }


def line(known: dict) -> str:
    """The facts as one line."""
    backend = known["backend"]
    version = known["versions"].get(backend) or known["versions"].get(f"{backend}-cpu", "?")
    where = [f"{known['processor']}, {known['cores']} cores", *known["gpus"], f"computing on {known['device']}"]
    return " | ".join([*where, f"{backend} {version}, keras {known['versions']['keras']}, Python {known['python']}"])


def accelerated() -> bool:
    """Whether Keras computes on something else than the processor."""
    return not startup.device().startswith("cpu")


def peak_memory() -> int:
    """The most memory this process has held so far, in bytes; what is on a GPU is not counted."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _processor() -> str:
    """The name of the processor as its maker writes it."""
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text().splitlines() if listing.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _gpus() -> list[str]:
    """Names of NVIDIA's GPUs, as their driver's own program tells them; [] without it."""
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return answer.stdout.split("\n")[:-1] if answer.returncode == 0 else []
