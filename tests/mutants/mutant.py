"""What a mutant is, and how it is planted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class MutantError(Exception):
    """A mutant does not fit the tree any more; the message says which text of which file to look at."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A replacement in one file: `old` must occur exactly once."""

    file: str
    old: str
    new: str

    def applied(self, text: str) -> str:
        """Return a file's text with the replacement made. Raise MutantError unless `old` occurs once."""
        count = text.count(self.old)
        if count != 1:
            raise MutantError(f"{self.file}: this text must occur once, it occurs {count} times:\n{self.old}")
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A planted fault. Most are one edit; where rules guard each other it takes several to break anything."""

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]
    """Test files, from the repository's root, one of which must fail. The likeliest first."""
    why: str
    """What it would cost if nobody noticed."""

    @property
    def file(self) -> str:
        """The file in which the rule is broken."""
        return self.edits[0].file

    def sources(self, root: Path) -> dict[str, str]:
        """Return the changed files below `root` with the fault in them. Raise MutantError."""
        texts: dict[str, str] = {}
        for edit in self.edits:
            text = texts.get(edit.file) or (root / edit.file).read_text(encoding="utf-8")
            texts[edit.file] = edit.applied(text)
        return texts

    def plant(self, root: Path) -> None:
        """Write the fault into a tree. Raise MutantError, and write nothing, when it does not fit."""
        for file, text in self.sources(root).items():
            (root / file).write_text(text, encoding="utf-8")


def mutant(name: str, file: str, old: str, new: str, *tests: str, why: str) -> Mutant:
    """Return a mutant of a single edit; `tests` are named without their common beginning `tests/`."""
    return mutant_of(name, Edit(file, old, new), tests=tests, why=why)


def mutant_of(name: str, *edits: Edit, tests: tuple[str, ...], why: str) -> Mutant:
    """Return a mutant of several edits."""
    return Mutant(name, edits, tuple(f"tests/{test}" for test in tests), why)
