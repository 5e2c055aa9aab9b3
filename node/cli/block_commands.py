"""`pocl export-blocks`, `import-blocks`, `check-block`: final blocks of a stopped node."""

from __future__ import annotations

import time
from pathlib import Path

import click

from node.cli.output import hex_text, json_option, print_facts
from node.cli.storage_options import block_id, data_of, data_options, progress_bar, written, written_text

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("export-blocks")
@click.argument("file", type=_FILE)
@click.option(
    "--from", "first", type=click.IntRange(1), metavar="NUMBER", help="First block (default: oldest kept)."
)
@click.option(
    "--to", "last", type=click.IntRange(1), metavar="NUMBER", help="Last block (default: last final)."
)
@data_options
@click.option(
    "--json", "as_json", is_flag=True, help="Write JSON: a line with the head, then a line a block."
)
def export_blocks(
    file: Path,
    first: int | None,
    last: int | None,
    chain: str | None,
    base_path: Path | None,
    dev: bool,
    as_json: bool,
) -> None:
    """Write final blocks, with why they are final, to FILE, which `pocl import-blocks` reads.

    \b
    pocl export-blocks blocks.bin --chain local --base-path data/one
    pocl export-blocks blocks.jsonl --from 100 --to 199 --json --dev
    """
    from node.tools import block_file
    from node.tools.stopped import stopped_chain

    spec, base = data_of(chain, base_path, dev)
    with stopped_chain(spec, base) as opened:
        begin, end = block_file.check_range(opened, first, last)
        with progress_bar("exporting", end - begin + 1) as show:
            if as_json:
                with written_text(file) as text:
                    block_file.export_json(opened, begin, end, text, show)
            else:
                with written(file) as data:
                    block_file.export_blocks(opened, begin, end, data, show)
    click.echo(f"{file}: blocks {begin} to {end}, {file.stat().st_size} bytes")


@click.command("import-blocks")
@click.argument("file", type=_FILE)
@data_options
@json_option
def import_blocks(file: Path, chain: str | None, base_path: Path | None, dev: bool, as_json: bool) -> None:
    """Take in the blocks of FILE that this node does not have, all verified as when it syncs.

    Nothing in the file is trusted: certificates are checked, and every block is executed. What was taken in stays
    when it ends early; the same command goes on there.

    \b
    pocl import-blocks blocks.bin --chain local --base-path data/two
    """
    from node.tools.block_file import import_blocks as take_in
    from node.tools.stopped import stopped_chain

    spec, base = data_of(chain, base_path, dev)
    with file.open("rb") as data, stopped_chain(spec, base, create=True) as opened:
        with progress_bar("importing", file.stat().st_size) as show:
            taken, skipped = take_in(opened, data, file, show)
        facts = {
            "imported": taken,
            "known_before": skipped,
            "final_number": opened.final_number,
            "final_hash": hex_text(opened.final_hash),
            "state_root": hex_text(opened.final.state_root),
        }
    print_facts(facts, as_json)


@click.command("check-block")
@click.argument("block")
@data_options
@json_option
def check_block(block: str, chain: str | None, base_path: Path | None, dev: bool, as_json: bool) -> None:
    """Execute a final block once more and compare all roots; BLOCK is a number, a 0x hash or `latest`.

    The block and its parent's state must be kept. Exit status 1 when executing it gives something else.

    \b
    pocl check-block 120 --chain local --base-path data/one
    """
    from node.tools.check_block import check_block as execute
    from node.tools.stopped import find_block, stopped_chain

    wanted = block_id(block)
    spec, base = data_of(chain, base_path, dev)
    with stopped_chain(spec, base) as opened:
        number = find_block(opened, wanted)
        started = time.perf_counter()
        executed = execute(opened, number)
        took_ms = (time.perf_counter() - started) * 1000
    facts = {
        "number": number,
        "hash": hex_text(executed.hash),
        "state_root": hex_text(executed.header.state_root),
        "extrinsics": len(executed.block.extrinsics),
        "events": len(executed.events),
        "weight": executed.weight,
        "took_ms": round(took_ms, 3),
    }
    print_facts(facts, as_json)
