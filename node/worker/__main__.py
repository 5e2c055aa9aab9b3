"""`python -m node.worker`."""

import sys
from importlib.util import find_spec

from node.worker import STATUS_UNUSABLE

missing = [name for name in ("numpy", "safetensors", "keras", "tensorflow") if find_spec(name) is None]
if missing:
    # The node may be installed without its worker: that is a matter of configuration, not a defect.
    print(f"worker: {missing[0]} is not installed: install the extra `worker`", file=sys.stderr)
    sys.exit(STATUS_UNUSABLE)

from node.worker.main import run  # noqa: E402

run()
