"""The node's own exceptions: each message is one line that says what is wrong, where, and what to do."""

from __future__ import annotations


class PoclError(Exception):
    """The base of every error that a user of the node can meet. Its message is shown as it is."""


class ConfigError(PoclError):
    """An option, a file or a combination of them cannot be used."""


class ChainSpecError(ConfigError):
    """A chain spec is unknown or malformed: the message names file, field, what it is and what it may be."""


class ExperimentError(ConfigError):
    """An experiment's plan or results cannot be used: the message names file and field."""


class NodeStartError(PoclError):
    """A node cannot start: a port in use, a locked or foreign database, a wrong password."""


class DevnetError(PoclError):
    """The devnet could not start, or ended before its last round."""
