"""The `pocl` command: a node, a devnet, keys, chain specs, transfers and queries.

Every error is one line on stderr and a non-zero exit status: 2 for a wrong command line, 1 for the rest.
Commands live in modules of their own, imported when they are run, so that `pocl key` needs no libp2p.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from node.errors import PoclError
from pocl.extrinsics import ExtrinsicError
from pocl.keys import KeyError_

# The module whose `command` it is, or module:name.
_COMMANDS = {
    "node": ("node.cli.node_command", "Run a node."),
    "devnet": ("node.cli.devnet_command", "Run a whole network on this machine for some rounds."),
    "experiment": ("node.cli.experiment_command", "Run and compare experiments, on real nodes or simulated."),
    "status": ("node.cli.status_command", "Tell whether the chain moves, and if not, why."),
    "doctor": ("node.cli.doctor_command", "Check all that a node needs before it runs, or while it does."),
    "key": ("node.cli.key_commands", "Make, inspect and store keys."),
    "chain": ("node.cli.chain_commands", "Build and check chain specs."),
    "data": ("node.cli.learning_data_commands", "Check the data that a miner trains on."),
    "tx": ("node.cli.tx_commands", "Sign and submit transactions."),
    "build-spec": (
        "node.cli.chain_commands:build_spec",
        "Print a chain spec made from another one, or a state.",
    ),
    "export-blocks": (
        "node.cli.block_commands:export_blocks",
        "Write a stopped node's final blocks to a file.",
    ),
    "import-blocks": ("node.cli.block_commands:import_blocks", "Verify and take in the blocks of a file."),
    "check-block": ("node.cli.block_commands:check_block", "Execute a block again and compare its roots."),
    "revert": ("node.cli.data_commands:revert", "Take back a stopped node's last blocks."),
    "purge-chain": ("node.cli.data_commands:purge_chain", "Remove a chain's data, but no keys."),
    "export-state": ("node.cli.data_commands:export_state", "Write the state after a block to a file."),
    "db": ("node.cli.db_commands", "Verify a stopped node's database."),
    "query": ("node.cli.query_commands", "Ask a node about blocks, rounds, accounts and state."),
}

_INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells count it: 128 + SIGINT."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed; its help needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names in the order in which help shows them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, None when there is no such."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), name or "command")
        if not isinstance(command, click.Command):
            raise TypeError(f"{_COMMANDS[cmd_name][0]} is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(package_name="pocl-node", prog_name="pocl")
def cli() -> None:
    """A node of a PoCL chain: miners train one model together, and the chain pays for it."""


def main(arguments: list[str] | None = None) -> None:
    """Run `pocl` and end the process with its exit status."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run `pocl` with these arguments (default: the process's) and return its exit status."""
    try:
        result: Any = cli.main(args=arguments, prog_name="pocl", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        return _fail(_usage(error), error.exit_code)
    except click.exceptions.Exit as error:
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", _INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone, as in `pocl query block | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        return _fail(message_of(error), 1)
    return result if isinstance(result, int) else 0


def message_of(error: Exception) -> str:
    """Return the one line that tells a user about an error.

    Errors made for users say all that is needed; any other is a defect of the program and says so. With
    POCL_TRACEBACK=1 in the environment such a defect is raised on, for its traceback.
    """
    known = (PoclError, KeyError_, ExtrinsicError)
    module = type(error).__module__
    if isinstance(error, known) or (module.startswith(("pocl.", "node.", "runtime.")) and str(error)):
        return one_line(str(error))
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename is not None else ""
        return one_line(f"{where}{error.strerror}")
    if os.environ.get("POCL_TRACEBACK") == "1":
        raise error
    text = f"internal error: {type(error).__name__}: {error} (POCL_TRACEBACK=1 shows where; please report it)"
    return one_line(text)


def one_line(text: str) -> str:
    """Return a text with every run of white space made one space."""
    return " ".join(text.split())


def _usage(error: click.ClickException) -> str:
    text = one_line(error.format_message())
    context = getattr(error, "ctx", None)
    return f"{text} (see {context.command_path} --help)" if context is not None else text


def _fail(message: str, status: int) -> int:
    click.echo(f"pocl: {message}", err=True)
    return status
