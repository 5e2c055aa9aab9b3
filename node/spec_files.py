"""Where chain specs lie: files, and the built-in ones by their names."""

from __future__ import annotations

import sysconfig
from pathlib import Path

from node.errors import ChainSpecError


def find(name_or_path: str | Path) -> Path:
    """Return the file of a spec: a path that exists, or a built-in name. Raise ChainSpecError otherwise."""
    text = str(name_or_path)
    path = Path(text)
    if path.suffix == ".json" or "/" in text:
        if path.is_file():
            return path
        # chain-spec/local.json also works outside a checkout: it names the built-in of that name.
        found = _built_in(path.stem) if path.parts[:-1] == ("chain-spec",) else None
        if found is None:
            raise ChainSpecError(f"{text}: there is no such file: give a chain spec's path or {_known()}")
        return found
    found = _built_in(text)
    if found is None:
        raise ChainSpecError(f"unknown chain {text!r}: give the path of a chain spec or {_known()}")
    return found


def built_in_names() -> list[str]:
    """Return the names of the chain specs that come with the package."""
    names = {file.stem for folder in _folders() if folder.is_dir() for file in folder.glob("*.json")}
    return sorted(names)


def _folders() -> list[Path]:
    """Where built-in specs lie: in a checkout, else where the wheel put them."""
    return [
        Path(__file__).resolve().parent.parent / "chain-spec",
        Path(sysconfig.get_path("data")) / "share" / "pocl" / "chain-spec",
    ]


def _built_in(name: str) -> Path | None:
    files = (folder / f"{name}.json" for folder in _folders())
    return next((file for file in files if file.is_file()), None)


def _known() -> str:
    return "one of " + ", ".join(built_in_names())
