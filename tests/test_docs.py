"""What the documents say about this repository is so: their links, the paths they name, their `pocl` commands.

A command is parsed as `pocl` would parse it, down to each option's type, and not run; that is for
tests/e2e/test_readme.py. Files that a command names need not exist. Write placeholders as words (NAME), not
as <name>: to a shell that is a redirection.
"""

from __future__ import annotations

import re
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import pytest

from node.cli import cli

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FENCED = re.compile(r"^ *```(?P<language>\w*)[^\n]*\n(?P<body>.*?)^ *```", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)|^\[[^\]]+\]: *(\S+)", re.MULTILINE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:")
_PATH = re.compile(r"[\w.*-]+(/[\w.*-]+)*/?", re.ASCII)
_DOMAIN = re.compile(r"pocl/[a-z/-]+/[0-9]+")
_SOURCES = {".md", ".proto", ".py", ".sh", ".toml"}
_MADE_HERE = {"run", "build", "dist"}
"""Folders that commands leave behind: what is below them is not the repository's."""

_SHELLS = {"sh", "bash", "shell", "console"}
_SETTING = re.compile(r"\w+=.*", re.DOTALL)


def links(text: str) -> list[str]:
    """Return the targets of a document's relative links, without their anchors."""
    prose = _CODE.sub("", _FENCED.sub("", text))
    targets = [first or second for first, second in _LINK.findall(prose)]
    relative = [target.partition("#")[0] for target in targets if not _SCHEME.match(target)]
    return [target for target in relative if target]


def paths(text: str) -> list[str]:
    """Return what looks like a path of this repository among a document's words in backticks."""
    words = _CODE.findall(_FENCED.sub("", text))
    return [word for word in words if _PATH.fullmatch(word) and "/" in word and _is_ours(word)]


def commands(text: str) -> list[list[str]]:
    """Return the words after `pocl` of every `pocl` command in a document's shell blocks."""
    found = []
    for block in _FENCED.finditer(text):
        if block["language"] in _SHELLS:
            for line in block["body"].replace("\\\n", " ").splitlines():
                found += [words[1:] for words in _simple_commands(line) if Path(words[0]).name == "pocl"]
    return found


def parse(words: list[str]) -> None:
    """Parse a command line of `pocl`. Raise click.ClickException when it would be refused."""
    command: click.Command = cli
    context = click.Context(cli, info_name="pocl", **cli.context_settings)
    words = list(words)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        inner = command.get_command(context, words[0])
        if inner is None:
            raise click.UsageError(f"there is no command {words[0]}", context)
        command, context = inner, click.Context(inner, parent=context, info_name=words.pop(0))
    with suppress(click.exceptions.Exit):  # --help and --version print and end
        command.make_context(context.info_name, words, parent=context.parent)


def _is_ours(word: str) -> bool:
    first = word.split("/")[0]
    if _DOMAIN.fullmatch(word) or first in _MADE_HERE:
        return False
    return (ROOT / first).is_dir() or Path(word).suffix in _SOURCES


def _simple_commands(line: str) -> list[list[str]]:
    """Return the commands of a shell line: pipes, lists, redirections and settings taken apart."""
    lexer = shlex.shlex(line.strip().removeprefix("$ "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    parts: list[list[str]] = [[]]
    redirected = False
    for word in lexer:
        if set(word) <= set("<>"):
            redirected = True
        elif set(word) <= set("();|&"):
            parts.append([])
        elif redirected:
            redirected = False
        elif parts[-1] or not _SETTING.fullmatch(word):
            parts[-1].append(word)
    return [part for part in parts if part]


def _cases(find: Any) -> list[Any]:
    return [
        pytest.param(document, found, id=f"{document.relative_to(ROOT)}: {str(found)[:60]}")
        for document in DOCUMENTS
        for found in find(document.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize(("document", "target"), _cases(links))
def test_a_link_leads_somewhere(document: Path, target: str) -> None:
    assert (document.parent / target).exists()


@pytest.mark.parametrize(("document", "path"), _cases(paths))
def test_a_path_exists(document: Path, path: str) -> None:
    assert any(ROOT.glob(path.rstrip("/"))), "no such file or folder below the repository's root"


@pytest.mark.parametrize(("document", "words"), _cases(commands))
def test_a_command_is_one(document: Path, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # A reader has other files than the machine that tests this.
    monkeypatch.setattr(click.Path, "convert", lambda self, value, param, context: value)
    try:
        parse(words)
    except click.ClickException as error:
        pytest.fail(f"pocl {shlex.join(words)}: {error.format_message()}")


def test_documents_are_read_as_meant() -> None:
    text = """
See [a](docs/x.md#top), [b](https://example.org/y.md), [c](#here), `[d](z.md)`.
`node/core.py`, `pallets/*/pallet.py`, `runtime/`, `old/name.py`, `"pocl/vote/1"`, `pocl/vote/1`, `db/`, `a.py`.

```sh
make run    # pocl devnet
POCL_RPC=localhost:1 .venv/bin/pocl query block 0x00 --json | head > out
$ pocl tx transfer //Bob 1POCL \\
    --from //Alice && pocl key generate; echo pocl
```

```text
pocl nothing [e](nowhere.md) `node/nothing.py`
```
"""
    assert links(text) == ["docs/x.md"]
    assert paths(text) == ["node/core.py", "pallets/*/pallet.py", "runtime/", "old/name.py"]
    assert [shlex.join(words) for words in commands(text)] == [
        "query block 0x00 --json",
        "tx transfer //Bob 1POCL --from //Alice",
        "key generate",
    ]
    assert len(_cases(commands)) >= 8, "the README's own commands are not found"


@pytest.mark.parametrize(
    "line",
    [
        "nod --dev",
        "node --devv",
        "node --port many",
        "tx transfer //Bob",
        "tx transfer //Bob 1POCL --wait forever",
        "query block 1 2",
        "query",
    ],
)
def test_a_wrong_command_is_found_out(line: str) -> None:
    with pytest.raises(click.ClickException):
        parse(line.split())


@pytest.mark.parametrize("line", ["--version", "query --help", "node -h", "query round 3"])
def test_a_right_command_passes(line: str) -> None:
    parse(line.split())
