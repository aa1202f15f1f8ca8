"""What the manager counts, whether anybody looks or not: plain integers, which only ever grow.

Rules of this file:
- What a peer says is never a key as it is, or a hostile peer could make up keys for ever.
- Every key that can be foreseen is there from the start with 0, so that the first event is seen as
  a growth.
"""

from __future__ import annotations

from hirte.api.public import JOB_TYPES
from hirte.dbus.traffic import Traffic

# Why an agent was not let in.
UNKNOWN_NODE, SELINUX, CONNECTED = "unknown_node", "selinux_type", "already_connected"
TOO_MANY, LATE = "too_many_connections", "not_in_time"
REFUSALS = (UNKNOWN_NODE, SELINUX, CONNECTED, TOO_MANY, LATE)

# How jobs end: systemd's words (org.freedesktop.systemd1(5), JobRemoved) and the agent's own for a
# job that systemd had forgotten; an agent that did not accept the job, or was lost; and anything
# else that an agent may say.
RESULTS = (
    "done", "canceled", "timeout", "failed", "dependency", "skipped", "invalid", "assert",
    "unsupported", "collected", "once", "frozen", "concurrency", "unknown",
)  # fmt: skip
REFUSED, NODE_LOST, OTHER = "refused", "node_lost", "other"


class Counters:
    """All counters of one manager.

    `relayed` tells of calls that were passed on to nodes unread, and of their answers: bodies
    only, `sent` is to the nodes. `agents` and `private` tell of everything on the connections of
    agents, registered or not, and of the private socket.
    """

    __slots__ = ("agents", "heartbeats_missed", "jobs", "private", "refusals", "relayed")

    def __init__(self) -> None:
        self.agents = Traffic()
        self.private = Traffic()
        self.relayed = Traffic()
        self.heartbeats_missed = 0
        self.refusals = dict.fromkeys(REFUSALS, 0)
        self.jobs = {
            (kind, result): 0
            for kind in JOB_TYPES.values()
            for result in (*RESULTS, REFUSED, NODE_LOST, OTHER)
        }

    def job_ended(self, kind: str, result: str) -> None:
        """Count a job of type `kind`; an unknown `result` counts as `other`."""
        key = kind, result
        self.jobs[key if key in self.jobs else (kind, OTHER)] += 1

    def relayed_to_node(self, body: bytes) -> None:
        """Count a call that is passed on."""
        self.relayed.sent_messages += 1
        self.relayed.sent_bytes += len(body)

    def relayed_from_node(self, body: bytes) -> None:
        """Count an answer that is passed on."""
        self.relayed.received_messages += 1
        self.relayed.received_bytes += len(body)
