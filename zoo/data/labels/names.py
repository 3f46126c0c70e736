"""Where class names stand when the labels have only numbers: data.yaml, a list of lines, label_map.pbtxt."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LISTS = ("classes.txt", "obj.names", "labels.txt", "predefined_classes.txt", "_darknet.labels")
"""Files with one class name per line, in the order of the numbers."""
_COMMENT = re.compile(r"""("(?:[^"\\]|\\.)*"|'[^']*')|(?:(?<=\s)|^)#.*""")
"""A quotation, which is kept, or a comment."""


def lines(path: Path) -> list[str]:
    """The names of a file with one name per line; empty lines at the end do not count, since a line's place is its number."""
    return path.read_text(encoding="utf-8-sig").rstrip().splitlines()


def beside(*folders: Path) -> list[str]:
    """The names of the first list of names that lies in one of the folders; none gives []."""
    found = next((folder / name for folder in folders for name in LISTS if (folder / name).is_file()), None)
    found = found or next((path for folder in folders for path in sorted(folder.glob("*.names"))), None)
    return [name.strip() for name in lines(found)] if found else []


def from_mapping(names: Any, where: Path) -> list[str]:
    """The `names` of a data.yaml, a list or {number: name}, as a list. A number that is skipped gets its own digits as its name."""
    if isinstance(names, list):
        return [str(name) for name in names]
    if isinstance(names, dict) and names and all(isinstance(key, int) and 0 <= key < 100_000 for key in names):
        return [str(names.get(number, number)) for number in range(max(names) + 1)]
    raise ValueError(f"{where}: names must be a list, or numbers from 0 with their names, got {names!r}")


def yaml(path: Path) -> dict[str, Any]:
    """A data.yaml, by PyYAML where it is installed and otherwise by `plain_yaml`. Raises ValueError with the file."""
    text = path.read_text(encoding="utf-8-sig")
    try:
        import yaml as library
    except ImportError:
        return plain_yaml(text, path)
    try:
        found = library.safe_load(text)
    except library.YAMLError as error:
        raise ValueError(f"{path} cannot be read as YAML: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} must hold `names:` and `train:`, got {type(found).__name__}")
    return found


def plain_yaml(text: str, where: Path) -> dict[str, Any]:
    """The part of YAML that a data.yaml uses: `key: value`, and below a key without value `- item` or `number: item`.

    Raises ValueError with the line for anything else.
    """
    found: dict[str, Any] = {}
    open_key = ""
    for number, line in enumerate(text.splitlines(), start=1):
        line = _COMMENT.sub(lambda match: match[1] or "", line).rstrip()
        if not line.strip() or line.strip() in ("---", "..."):
            continue
        entry = re.fullmatch(r"(\s*)(?:- +(?P<item>.+)|(?P<key>[^:'\"{\[]+|'[^']*'|\"[^\"]*\"):(?:\s+(?P<value>.*))?)", line)
        if entry is None:
            raise ValueError(f"{where}, line {number}: {line.strip()!r} is more YAML than is understood here; pip install pyyaml reads it")
        item, key, value = entry["item"], entry["key"], entry["value"]
        if item is None and not entry[1]:
            open_key = "" if value else key.strip()
            found[key.strip()] = _value(value, where, number) if value else None
        elif not open_key:
            raise ValueError(f"{where}, line {number}: {line.strip()!r} belongs to no key above it")
        elif item is not None:
            found[open_key] = [*(found[open_key] or []), _value(item, where, number)]
        else:
            found[open_key] = {**(found[open_key] or {}), _value(key.strip(), where, number): _value(value or "", where, number)}
    return found


def _value(text: str, where: Path, number: int) -> Any:
    text = text.strip()
    if text[:1] in "'\"":
        try:
            return str(ast.literal_eval(text))
        except (ValueError, SyntaxError):
            raise ValueError(f"{where}, line {number}: the quotation {text} does not end") from None
    if text.startswith("[") and text.endswith("]"):
        parts = re.findall(r"'[^']*'|\"[^\"]*\"|[^,\s][^,]*", text[1:-1])
        return [_value(part, where, number) for part in parts]
    if text.startswith("{") and text.endswith("}"):
        pairs = re.findall(r"([^:,{}]+):\s*('[^']*'|\"[^\"]*\"|[^,]*)(?:,|$)", text[1:-1])
        return {_value(key, where, number): _value(value, where, number) for key, value in pairs}
    if text[:1] in tuple("&*!|>%@`[{"):
        raise ValueError(f"{where}, line {number}: {text!r} is more YAML than is understood here; pip install pyyaml reads it")
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def data_yaml(classes: Sequence[str], folders: dict[str, str], keypoints: int = 0, flip: Sequence[int] = ()) -> str:
    """The text of a data.yaml: names by number, the folder of each split, the shape of the keypoints."""
    text = [f"{key}: {folder}" for key, folder in folders.items()]
    text += [f"kpt_shape: [{keypoints}, 3]", f"flip_idx: [{', '.join(map(str, flip))}]"] if keypoints else []
    text += [
        f"nc: {len(classes)}",
        "names:",
        *(f"  {number}: {_quoted(name)}" for number, name in enumerate(classes)),
    ]
    return "\n".join(text) + "\n"


def label_map(path: Path) -> dict[int, str]:
    """{number: name} of a label_map.pbtxt."""
    found = {}
    for item in re.findall(r"item\s*\{(.*?)\}", path.read_text(encoding="utf-8-sig"), re.DOTALL):
        number = re.search(r"\bid\s*:\s*(\d+)", item)
        name = re.search(r"\bname\s*:\s*(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')", item)
        if number is None or name is None:
            raise ValueError(f"{path}: an item must have an id and a name, got {' '.join(item.split())!r}")
        found[int(number[1])] = str(ast.literal_eval(name[1]))
    return found


def label_map_text(classes: Sequence[str]) -> str:
    """The text of a label_map.pbtxt; numbers run from 1."""
    return "\n".join(f"item {{\n  id: {number}\n  name: {_quoted(name)}\n}}" for number, name in enumerate(classes, start=1)) + "\n"


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)  # letters beyond 16 bits escaped as JSON does are two broken ones elsewhere
