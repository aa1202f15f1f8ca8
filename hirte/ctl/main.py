"""From the command line to the exit code: read, run, and tell what went wrong in one line.

Stdout has the answer and nothing else.
"""

from __future__ import annotations

import io
import sys

from hirte.client.errors import Error
from hirte.ctl.command_line import read
from hirte.ctl.exits import BROKEN_PIPE, FAILED, INTERRUPTED, Failure
from hirte.ctl.request import STDOUT, Request, complain, drop, flush

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Callable

    from hirte.client.manager import Manager


def connect() -> Manager:
    """Return a client of the manager. Raises Failure and the client's errors."""
    try:
        from hirte.client.connecting import connect
    except ModuleNotFoundError as error:
        # The one file has it; a clone that is run as it is may not.
        raise Failure(f"the Python module {error.name} is missing: install it") from error
    return connect()


def run(argv: Sequence[str], program: str, connect: Callable[[], Manager] = connect) -> int:
    """Do what the command line says; return the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the locale has no characters for must not end the list.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _run(argv, program, connect)
        flush()
    except KeyboardInterrupt:
        complain(program, "interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read has enough, as `head` does.
        drop(STDOUT)
        return BROKEN_PIPE
    except OSError as error:
        drop(STDOUT)
        complain(program, f"cannot write the answer: {error.strerror}")
        return FAILED
    return code


def _run(argv: Sequence[str], program: str, connect: Callable[[], Manager]) -> int:
    hints: dict[str, None] = {}
    is_quiet = False
    try:
        request = Request(program, *read(argv, program), connect)
        hints, is_quiet = request.hints, request.has("quiet")
        code, text = _do(request), ""
    except Failure as failed:
        code, text = failed.code, str(failed)
        if failed.hint:
            hints[failed.hint] = None
    complain(program, text, () if is_quiet else hints)
    return code


def _do(request: Request) -> int:
    """Do what is asked for. Raises Failure."""
    request.begin()
    try:
        return request.verb.run(request)
    except Error as error:
        from hirte.ctl.failures import failure

        raise failure(error) from error
    finally:
        request.end()
