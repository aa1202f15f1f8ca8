"""What the two daemons' modes have in common: settings or an exit code, the log, TCP options."""

from __future__ import annotations

import os
import sys

from hirte.api.dialect import dialect_of
from hirte.runtime.log import open_log
from hirte.runtime.stream import TcpOptions
from hirte.settings.errors import Answer, ConfigError
from hirte.settings.load import load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from hirte.runtime.log import Log
    from hirte.settings.table import Settings

    SettingsT = TypeVar("SettingsT", bound=Settings)


def run_with(
    kind: type[SettingsT],
    argv: Sequence[str],
    program: str,
    run: Callable[[SettingsT, Log], int],
) -> int:
    """Read the settings of `kind` and `run` the daemon with them and its log; return the exit code.

    Help, version and the check of the configuration are answered here, and so are its errors.
    """
    dialect = dialect_of(program)
    try:
        settings = load(kind, argv, os.environ, dialect=dialect.name, program=program)
    except Answer as answer:
        print(answer)
        return 0
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    log = open_log(
        settings.log_target,
        program.replace(" ", "-"),
        settings.log_level,
        settings.log_is_quiet,
    )
    for warning in settings.warnings:
        log.warning(warning)
    return run(settings, log)


def tcp_options(settings: Settings) -> TcpOptions:
    """Return the TCP options that the settings ask for."""
    return TcpOptions(
        settings.tcp_keep_alive_time,
        settings.tcp_keep_alive_interval,
        settings.tcp_keep_alive_count,
        settings.ip_receive_errors,
    )
