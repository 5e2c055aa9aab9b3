"""Whether a worker could work here, found out in a process of its own; for `pocl doctor`.

    python -m node.worker.probe packages
    python -m node.worker.probe data [--data DIR] < the task's canonical JSON

The last line of stdout is a JSON object; exit status 2, and one line on stderr, when it could not.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from node.errors import PoclError
from node.learning_task import parse_task
from node.worker import STATUS_UNUSABLE


def main() -> int:
    """Look, and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m node.worker.probe")
    parser.add_argument("what", choices=("packages", "data"))
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    try:
        found = _packages() if options.what == "packages" else _data(options.data)
    except ImportError as error:
        # What a package prints while it fails is not for one line.
        print(f"cannot be imported: {' '.join(str(error).split())[:300]}", file=sys.stderr)
        return STATUS_UNUSABLE
    except PoclError as error:
        print(str(error), file=sys.stderr)
        return STATUS_UNUSABLE
    print(json.dumps(found))
    return 0


def _packages() -> dict[str, object]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras  # type: ignore[import-untyped]
    import numpy
    import safetensors
    import tensorflow  # type: ignore[import-untyped]

    modules = (tensorflow, keras, numpy, safetensors)
    return {
        "versions": {module.__name__: module.__version__ for module in modules},
        "gpus": len(tensorflow.config.list_physical_devices("GPU")),
    }


def _data(folder: Path | None) -> dict[str, object]:
    from node.worker.learning.datasets import load_dataset

    task = parse_task(sys.stdin.buffer.read())
    data = load_dataset(task, folder)
    return {"dataset": task.dataset, "train": len(data.x_train), "test": len(data.x_test)}


if __name__ == "__main__":
    sys.exit(main())
