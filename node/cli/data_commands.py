"""`pocl revert`, `purge-chain`, `export-state`: what a stopped node has come to."""

from __future__ import annotations

from pathlib import Path

import click

from node.cli.output import hex_text, json_option, print_facts
from node.cli.storage_options import block_id, data_of, data_options, written, written_text
from node.errors import ConfigError
from node.layout import consensus_log_file


@click.command("revert")
@click.argument("count", type=click.IntRange(1), metavar="N")
@data_options
@click.option(
    "--unsafe-keep-votes", is_flag=True, help="Also for a validator, which waits until sync brings them back."
)
@click.option(
    "--unsafe-forget-votes",
    is_flag=True,
    help="Also forget what a development chain's only validator has signed.",
)
@json_option
def revert(
    count: int,
    chain: str | None,
    base_path: Path | None,
    dev: bool,
    unsafe_keep_votes: bool,
    unsafe_forget_votes: bool,
    as_json: bool,
) -> None:
    """Take back the last N blocks, whose parent's state must be kept.

    Final blocks are final: a full node gets the same ones again by sync. A validator that signed them is refused
    unless it is said what becomes of its votes (docs/operating.md).

    \b
    pocl revert 10 --chain local --base-path data/full
    """
    from node.tools import revert as tool
    from node.tools.stopped import stopped_chain

    if unsafe_keep_votes and unsafe_forget_votes:
        raise ConfigError("--unsafe-keep-votes and --unsafe-forget-votes are opposites: give one of them")
    spec, base = data_of(chain, base_path, dev)
    log_file = consensus_log_file(base)
    with stopped_chain(spec, base) as opened:
        tool.check_votes(spec, opened, log_file, keep=unsafe_keep_votes, forget=unsafe_forget_votes)
        number = tool.revert(opened, count)
        hash = opened.database.final()[1]
        forgot = unsafe_forget_votes and tool.forget_votes(log_file, opened.genesis_hash)
    facts = {
        "reverted": count,
        "final_number": number,
        "final_hash": hex_text(hash),
        "votes_forgotten": forgot,
    }
    print_facts(facts, as_json)


@click.command("purge-chain")
@data_options
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--unsafe-forget-votes", is_flag=True, help="Remove the consensus log too; for chains that begin anew."
)
def purge_chain(
    chain: str | None, base_path: Path | None, dev: bool, yes: bool, unsafe_forget_votes: bool
) -> None:
    """Remove a chain's database and blobs; keys and the log of votes stay.

    \b
    pocl purge-chain --chain local --base-path data/one
    """
    from node.genesis import build_genesis
    from node.tools import purge

    spec, base = data_of(chain, base_path, dev)
    genesis_hash = build_genesis(spec).hash
    purge.check_purge(spec, base, genesis_hash, forget=unsafe_forget_votes)
    paths = purge.purged_paths(base, forget=unsafe_forget_votes)
    if not paths:
        click.echo(f"{base}: there is nothing to remove")
        return
    for path in paths:
        click.echo(f"will be removed: {path}")
    if not yes and not click.confirm("Remove them?"):
        click.echo("nothing was removed")
        return
    purge.purge(paths)
    click.echo(f"removed the data of {spec.id} below {base}")


@click.command("export-state")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--block", default="latest", show_default=True, help="A number, a 0x hash or `latest`.")
@data_options
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object.")
def export_state(
    file: Path, block: str, chain: str | None, base_path: Path | None, dev: bool, as_json: bool
) -> None:
    """Write the whole state after a final block, key by key and with its root, to FILE.

    \b
    pocl export-state state.bin --chain local --base-path data/one
    pocl build-spec --chain local --from-state state.bin --output fork.json
    """
    from node.tools import state_file
    from node.tools.stopped import find_block, stopped_chain

    wanted = block_id(block)
    spec, base = data_of(chain, base_path, dev)
    with stopped_chain(spec, base) as opened:
        number = find_block(opened, wanted)
        if as_json:
            with written_text(file) as text:
                count = state_file.export_json(opened, number, text)
        else:
            with written(file) as data:
                count = state_file.export_state(opened, number, data)
    click.echo(f"{file}: {count} entries of the state after block {number}, {file.stat().st_size} bytes")
