"""The manager in OpenMetrics text, version 1.0.0. Loaded only when somebody wants it.

A row of the table is a metric family; a view of one node in one family is one line. Labels have
values from the configuration or from our own tables only, never what a peer says.
"""

from __future__ import annotations

from itertools import accumulate

from hirte import __version__
from hirte.manager.latency import BUCKETS_US, Histogram, JobTimes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from hirte.dbus.connection import Connection
    from hirte.dbus.ports import Timers
    from hirte.dbus.presence import Presence
    from hirte.dbus.traffic import Traffic
    from hirte.manager.link import Link
    from hirte.manager.manager import Manager
    from hirte.manager.node import Node

    # What follows the family's name (a suffix, the labels), and the value.
    Sample = tuple[str, object]

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
_BOUNDS = [repr(us / 1e6) for us in BUCKETS_US] + ["+Inf"]


class OpenMetrics:
    """A view of `manager`, which measures its jobs from now on."""

    def __init__(self, manager: Manager, presence: Presence, timers: Timers) -> None:
        self.manager = manager
        self.presence = presence
        self.times = manager.metrics.times = JobTimes()
        self.nodes = [(labels(node=node.name), node) for node in manager.nodes.values()]
        self._timers = timers
        self._started = timers.now()

    @property
    def uptime(self) -> float:
        """Return seconds since the view began."""
        return round(self._timers.now() - self._started, 3)

    def text(self) -> bytes:
        """Return the exposition."""
        lines: list[str] = []
        for name, kind, unit, help, samples in FAMILIES:
            lines.append(f"# TYPE {name} {kind}")
            if unit:
                lines.append(f"# UNIT {name} {unit}")
            lines.append(f"# HELP {name} {help}")
            lines += [f"{name}{rest} {value}" for rest, value in samples(self)]
        lines.append("# EOF\n")
        return "\n".join(lines).encode()

    def each_node(self, value: Callable[[Node], object], suffix: str = "") -> Iterator[Sample]:
        """Yield a sample for each configured node."""
        return ((suffix + label, value(node)) for label, node in self.nodes)

    def each_link(self, value: Callable[[Link], int]) -> Iterator[Sample]:
        """Yield a sample for each node that is online."""
        return ((label, value(node.link)) for label, node in self.nodes if node.link)

    def each_traffic(self, value: Callable[[Traffic], tuple[int, int]]) -> Iterator[Sample]:
        """Yield samples of what is sent and received, by kind of peer."""
        for peer, traffic in self.traffic().items():
            sent, received = value(traffic)
            yield "_total" + labels(peer=peer, direction="sent"), sent
            yield "_total" + labels(peer=peer, direction="received"), received

    def traffic(self) -> Mapping[str, Traffic]:
        """Return what goes over connections, by kind of peer."""
        counters = self.manager.counters
        return {
            "agents": counters.agents,
            "bus": self.presence.traffic,
            "private": counters.private,
        }

    def each_public(self, value: Callable[[Connection], int]) -> Iterator[Sample]:
        """Yield samples of the connections that serve the public, by kind of peer."""
        bus = self.presence.connection
        yield labels(peer="bus"), value(bus) if bus else 0
        yield labels(peer="private"), sum(map(value, self.manager.publisher.guests))


def labels(**values: str) -> str:
    """Return a label set as it follows a name."""
    pairs = (f'{name}="{escape(value)}"' for name, value in values.items())
    return "{" + ",".join(pairs) + "}"


def escape(value: str) -> str:
    """Return `value` as it stands between the quotes of a label."""
    for character, escaped in _ESCAPES.items():
        value = value.replace(character, escaped)
    return value


def _seen(view: OpenMetrics) -> Iterator[Sample]:
    for label, node in view.nodes:
        if node.last_seen_us:
            yield label, node.last_seen_us / 1e6


def _relayed(sent: int, received: int) -> Iterable[Sample]:
    yield "_total" + labels(direction="to_nodes"), sent
    yield "_total" + labels(direction="from_nodes"), received


def _relayed_messages(view: OpenMetrics) -> Iterable[Sample]:
    relayed = view.manager.counters.relayed
    return _relayed(relayed.sent_messages, relayed.received_messages)


def _relayed_bytes(view: OpenMetrics) -> Iterable[Sample]:
    relayed = view.manager.counters.relayed
    return _relayed(relayed.sent_bytes, relayed.received_bytes)


def _refusals(view: OpenMetrics) -> Iterator[Sample]:
    for reason, count in view.manager.counters.refusals.items():
        yield "_total" + labels(reason=reason), count


def _jobs(view: OpenMetrics) -> Iterator[Sample]:
    for (kind, result), count in view.manager.counters.jobs.items():
        yield "_total" + labels(type=kind, result=result), count


def _histograms(name: str, histograms: Mapping[str, Histogram]) -> Iterator[Sample]:
    for key, histogram in histograms.items():
        counts = list(accumulate(histogram.counts))
        for bound, count in zip(_BOUNDS, counts):
            yield "_bucket" + labels(**{name: key, "le": bound}), count
        label = labels(**{name: key})
        yield "_count" + label, counts[-1]
        yield "_sum" + label, histogram.sum_us / 1e6


# Name, type, unit, help, samples.
FAMILIES: tuple[tuple[str, str, str, str, Callable[[OpenMetrics], Iterable[Sample]]], ...] = (
    (
        "hirte_build", "info", "", "The program that answers.",
        lambda view: [("_info" + labels(version=__version__), 1)],
    ),
    (
        "hirte_uptime_seconds", "gauge", "seconds", "Time since the manager started.",
        lambda view: [("", view.uptime)],
    ),
    (
        "hirte_node_up", "gauge", "", "Whether the node's agent is connected.",
        lambda view: view.each_node(lambda node: int(node.link is not None)),
    ),
    (
        "hirte_node_last_seen_timestamp_seconds", "gauge", "seconds",
        "When the node registered or sent a heartbeat last; absent before it first did.",
        _seen,
    ),
    (
        "hirte_node_registrations", "counter", "", "Registrations that were accepted.",
        lambda view: view.each_node(lambda node: node.registrations, "_total"),
    ),
    (
        "hirte_node_queued_bytes", "gauge", "bytes",
        "What the online node's agent has not taken yet.",
        lambda view: view.each_link(lambda link: link.connection.queued),
    ),
    (
        "hirte_node_open_calls", "gauge", "",
        "Calls that the online node's agent has not answered yet.",
        lambda view: view.each_link(lambda link: link.connection.open_calls),
    ),
    (
        "hirte_unregistered_connections", "gauge", "", "Connections that have not registered.",
        lambda view: [("", view.manager.unregistered)],
    ),
    (
        "hirte_refusals", "counter", "", "Connections and registrations that were refused.",
        _refusals,
    ),
    (
        "hirte_heartbeats_missed", "counter", "",
        "Nodes given up because no heartbeat came within the threshold.",
        lambda view: [("_total", view.manager.counters.heartbeats_missed)],
    ),
    (
        "hirte_jobs", "counter", "", "Jobs that ended, and requests that agents refused.",
        _jobs,
    ),
    (
        "hirte_open_jobs", "gauge", "", "Jobs that have not ended.",
        lambda view: [("", sum(len(node.jobs) for _, node in view.nodes))],
    ),
    (
        "hirte_job_duration_seconds", "histogram", "seconds",
        "From a job's request to its JobRemoved.",
        lambda view: _histograms("type", view.times.whole),
    ),
    (
        "hirte_job_share_seconds", "histogram", "seconds",
        "Whose time a job's duration was; the agent's share contains the network.",
        lambda view: _histograms("share", view.times.shares),
    ),
    (
        "hirte_relayed_messages", "counter", "",
        "Calls passed on to nodes unread, and their answers.",
        _relayed_messages,
    ),
    (
        "hirte_relayed_bytes", "counter", "bytes", "Bodies of the relayed messages.",
        _relayed_bytes,
    ),
    (
        "hirte_messages", "counter", "", "All messages, by kind of peer.",
        lambda view: view.each_traffic(lambda t: (t.sent_messages, t.received_messages)),
    ),
    (
        "hirte_message_bytes", "counter", "bytes", "Bytes of all messages, by kind of peer.",
        lambda view: view.each_traffic(lambda t: (t.sent_bytes, t.received_bytes)),
    ),
    (
        "hirte_protocol_errors", "counter", "",
        "Connections ended because the peer broke the protocol.",
        lambda view: [
            ("_total" + labels(peer=peer), traffic.protocol_errors)
            for peer, traffic in view.traffic().items()
        ],
    ),
    (
        "hirte_public_queued_bytes", "gauge", "bytes", "What callers have not taken yet.",
        lambda view: view.each_public(lambda connection: connection.queued),
    ),
    (
        "hirte_public_open_calls", "gauge", "", "Our calls that callers' side has not answered.",
        lambda view: view.each_public(lambda connection: connection.open_calls),
    ),
)  # fmt: skip
