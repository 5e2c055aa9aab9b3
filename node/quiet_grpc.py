"""Import this before anything that imports grpc: its C core then keeps its own lines off stderr.

What it would say there (a port in use, a peer that went away) reaches users through our own one-line errors.
It reads the variable when it is loaded. GRPC_VERBOSITY=debug in the environment brings its lines back.
"""

from __future__ import annotations

import os

os.environ.setdefault("GRPC_VERBOSITY", "NONE")
