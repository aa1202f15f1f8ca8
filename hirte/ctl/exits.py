"""What the tool's exit codes mean: a contract with scripts, and with LSB's for `status`.

Of several targets the highest code counts.
"""

from __future__ import annotations

DONE = 0
FAILED = 1
USAGE = 2
NOT_ACTIVE = 3
UNKNOWN = 4
OFFLINE = 5
UNREACHABLE = 6
# As timeout(1) does.
TIMED_OUT = 124
# As shells report a program that SIGINT or SIGPIPE ended.
INTERRUPTED = 130
BROKEN_PIPE = 141

MEANINGS = {
    DONE: "all done",
    FAILED: "something failed, or a unit is not enabled (is-enabled)",
    USAGE: "wrong usage",
    NOT_ACTIVE: "a unit is not active (status, is-active, --wait-active)",
    UNKNOWN: "no such unit, node or job",
    OFFLINE: "a node is offline",
    UNREACHABLE: "the manager cannot be reached, or does not permit it",
    TIMED_OUT: "--timeout is over",
    INTERRUPTED: "interrupted",
    BROKEN_PIPE: "whoever read the answer has enough, as `head` does",
}


class Failure(Exception):
    """The verb cannot do its work. The text is one line, for the administrator.

    So is `hint`, what one may try next, which may speak of the tool as {program}.
    """

    def __init__(self, text: str, code: int = FAILED, hint: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.hint = hint
