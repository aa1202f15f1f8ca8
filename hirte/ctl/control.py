"""The verbs that make a job on a node and wait for its end."""

from __future__ import annotations

from hirte.api.public import JOB_TYPES
from hirte.ctl.exits import DONE, FAILED, INTERRUPTED
from hirte.ctl.names import unit_name
from hirte.ctl.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hirte.client.job import Job
    from hirte.ctl.request import Request

# Verb -> the Node's method.
_METHODS = {kind: method for method, kind in JOB_TYPES.items()}

# What systemd does with other jobs that stand in the way: the new one takes their place.
_MODE = "replace"

_DONE = "done"
# What systemd's words for the end of a job mean, see org.freedesktop.systemd1(5).
_REASONS = {
    "canceled": "the job was cancelled before it ended",
    "timeout": "the job timed out",
    "dependency": "a unit that it needs did not start",
    "skipped": "it does not apply to the unit as it is",
    "invalid": "the unit is not active",
    "assert": "a condition that the unit asserts does not hold",
    "unsupported": "the node does not support this type of unit",
    "once": "the unit runs only once",
    # The manager's own word.
    "cancelled due to shutdown": "the manager stopped while the job ran",
}


def control(request: Request) -> int:
    """Do what the verb says to the unit, print the result; only `done` is a success."""
    node, word = request.words
    verb, unit = request.verb.name, unit_name(word)
    reach = request.manager.node(node)
    try:
        job: Job = reach.call(_METHODS[verb], unit, _MODE)
        result = job.wait()
    except KeyboardInterrupt:
        request.complain(f"interrupted; the {verb} of {unit} on {node} goes on")
        return INTERRUPTED
    print(printable(f"{node} {unit} {verb}: {result}"))
    if result == _DONE:
        return DONE
    reason = f"{_REASONS[result]}; " if result in _REASONS else ""
    look = f"`{request.program} status {node} {unit}` and `journalctl -u {unit}` on {node}"
    request.complain(f"{reason}see {look}")
    return FAILED
