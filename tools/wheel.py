"""`python -m tools.wheel`: build the wheel and look inside. It may hold `zoo` and nothing else, and must hold its data files."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = ("zoo/index.json", "zoo/weights/imagenet_classes.txt")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, "-m", "uv", "build", "--wheel", "--quiet", "--out-dir", folder, str(ROOT)]
        subprocess.run(build, check=True)
        (wheel,) = Path(folder).glob("*.whl")
        names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    missing = [name for name in DATA if name not in names]
    if tops != {"zoo"} or missing:
        print(f"the wheel must hold zoo only and {DATA}; it holds {sorted(tops)}, missing {missing}", file=sys.stderr)
        return 1
    print(f"{wheel.name}: {len(names)} files, top level zoo only")
    return 0


if __name__ == "__main__":
    sys.exit(main())
