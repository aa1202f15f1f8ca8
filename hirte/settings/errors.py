"""How reading the settings can end without settings."""

from __future__ import annotations


class ConfigError(Exception):
    """The configuration is at fault; the program ends with exit code 1.

    The text names the place first: `file:line`, an environment variable, a flag.
    """

    def __init__(self, message: str, source: str = "") -> None:
        super().__init__(f"{source}: {message}" if source else message)


class Answer(Exception):
    """The command line asks for this text on stdout instead of a start; exit code 0."""
