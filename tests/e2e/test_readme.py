"""The README's commands, as they are printed, against a running node."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.processes import ROOT, running_node

README = (ROOT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands_for_a_running_node() -> list[str]:
    """Return the lines of the README's block that asks a node."""
    block = next(block for block in blocks("sh") if "--wait settled" in block)
    return block.strip().splitlines()


def run(line: str, address: str, cwd: Path) -> str:
    """Run a command of the README against a node at another address than the default one."""
    words = [
        str(BIN / word.removeprefix(".venv/bin/")) if word.startswith(".venv/bin/") else word
        for word in shlex.split(line)
    ]
    words = [str(ROOT / word) if word.startswith("examples/") else word for word in words]
    words += ["--rpc", address]
    if "follow_blocks.py" in line:
        words += ["--count", "2"]
    done = subprocess.run(
        words, cwd=cwd, capture_output=True, text=True, timeout=180, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, f"{line}: {done.stderr}"
    return done.stdout


def test_the_commands_for_a_running_node(tmp_path: Path) -> None:
    lines = commands_for_a_running_node()
    assert len(lines) >= 8
    with running_node(tmp_path / "node", "--dev", "--worker-threads", "1") as ready:
        outputs = {line: run(line, ready["rpc_address"], tmp_path) for line in lines}
        assert "settled" in next(text for line, text in outputs.items() if "--wait settled" in line)
        assert all(outputs.values())

        snippet = next(block for block in blocks("python") if "pocl.client" in block)
        # The snippet follows the chain for ever: one block shows that it works.
        script = snippet.replace("127.0.0.1:9944", ready["rpc_address"]).rstrip() + "\n        break\n"
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[1].startswith("1 ")


@pytest.mark.parametrize("target", ["run", "test"])
def test_the_make_targets_exist(target: str) -> None:
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    expected = "devnet --validators 4 --rounds 3" if target == "run" else "pytest"
    assert expected in done.stdout
