"""Follow final blocks and their events.

    python examples/follow_blocks.py [--rpc 127.0.0.1:9944] [--from NUMBER] [--count N]

Prints each final block and, below it, its decoded events. Without --from it begins with the next block.
"""

from __future__ import annotations

import argparse
import json
import sys

from pocl.client import Client, ClientError, plain
from pocl.keys import ss58_encode


def main() -> int:
    """Run the example; return the exit status."""
    parser = argparse.ArgumentParser(description="Follow final blocks and their events.")
    parser.add_argument("--rpc", default="127.0.0.1:9944", metavar="HOST:PORT")
    parser.add_argument(
        "--from", dest="start", type=int, default=0, help="first block (default: the next one)"
    )
    parser.add_argument("--count", type=int, help="end after this many blocks (default: go on)")
    arguments = parser.parse_args()
    try:
        with Client.connect(arguments.rpc) as client:
            follow(client, arguments.start, arguments.count)
    except ClientError as error:
        print(f"follow_blocks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def follow(client: Client, start: int, count: int | None) -> None:
    """Print `count` final blocks from number `start` on."""
    if count == 0:
        return
    for seen, view in enumerate(client.blocks(start), 1):
        header = view.block.header
        author = ss58_encode(header.author) if header.author else "-"
        print(
            f"block {header.number}  0x{view.hash.hex()}  epoch {header.epoch} view {header.view}  "
            f"by {author}  {len(view.block.extrinsics)} extrinsics",
            flush=True,
        )
        for event in client.events(view):
            where = "" if event.extrinsic_index is None else f"[{event.extrinsic_index}] "
            print(f"    {where}{event.pallet}.{event.name} {json.dumps(plain(event.message))}", flush=True)
        if seen == count:
            return


if __name__ == "__main__":
    sys.exit(main())
