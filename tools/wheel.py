"""`python -m tools.wheel`: build the wheel and look inside. It may hold `zoo` and nothing else, and must hold its data files."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = ("zoo/index.json", "zoo/py.typed", "zoo/report.css", "zoo/weights/imagenet_classes.txt")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, "-m", "uv", "build", "--wheel", "--quiet", "--out-dir", folder, str(ROOT)]
        subprocess.run(build, check=True)
        (wheel,) = Path(folder).glob("*.whl")
        return inspect(wheel)


def inspect(wheel: Path) -> int:
    """Print what is wrong with the wheel, or what it holds; the exit status."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    found = problems(names)
    for problem in found:
        print(f"{wheel.name}: {problem}", file=sys.stderr)
    if not found:
        print(f"{wheel.name}: {len(names)} files, top level zoo only")
    return 1 if found else 0


def problems(names: list[str]) -> list[str]:
    """What is wrong with a wheel of these member names, one sentence each: foreign top levels, no `zoo`, missing data files."""
    tops = {name.split("/")[0] for name in names}
    packages = {top for top in tops if not top.endswith(".dist-info")}
    found = [
        f"holds {top!r}, but only zoo may be installed; see [tool.hatch.build] in pyproject.toml" for top in sorted(packages - {"zoo"})
    ]
    if "zoo/__init__.py" not in names:
        found.append("does not hold the package zoo")
    return found + [f"does not hold the data file {name}; is it in git and not ignored?" for name in DATA if name not in names]


if __name__ == "__main__":
    sys.exit(main())
