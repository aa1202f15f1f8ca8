"""Who serves each row of the public interface tables of the manager."""

from __future__ import annotations

from hirte.api import public
from hirte.dbus import errors
from hirte.dbus.objects import Service
from hirte.manager.gather import Gather
from hirte.wire.message import ERROR, Message
from hirte.wire.splice import array_of_structs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hirte.api.dialect import Dialect
    from hirte.dbus.objects import Call
    from hirte.manager.link import Link
    from hirte.manager.manager import Manager
    from hirte.manager.node import Node

LOG_LEVELS = ("DEBUG", "INFO", "WARN", "ERROR")


def services(dialect: Dialect, manager: Manager) -> dict[str, Service]:
    """Return the manager's public services in `dialect`, by native interface name."""
    offline = (dialect.interface("Offline"), "Node is offline")
    jobs, monitors, metrics = manager.jobs, manager.monitors, manager.metrics
    rows = (
        Service(
            public.MANAGER,
            dialect,
            {
                **_MANAGER_METHODS,
                "CreateMonitor": lambda _, call: monitors.create(call),
                "EnableMetrics": lambda _, call: metrics.enable(call),
                "DisableMetrics": lambda _, call: metrics.disable(call),
            },
            _MANAGER_PROPERTIES,
        ),
        Service(
            public.NODE,
            dialect,
            {
                **dict.fromkeys(public.JOB_TYPES, jobs.request),
                **{row.name: _forward for row in public.NODE.methods.values() if row.forward},
                "SetLogLevel": _set_node_log_level,
            },
            _NODE_PROPERTIES,
            guard=lambda node: None if node.link else offline,
        ),
        Service(public.JOB, dialect, {"Cancel": jobs.cancel}, _JOB_PROPERTIES),
        Service(
            public.MONITOR,
            dialect,
            {
                "Subscribe": monitors.subscribe,
                "SubscribeList": monitors.subscribe_list,
                "Unsubscribe": monitors.unsubscribe,
                "AddPeer": monitors.add_peer,
                "RemovePeer": monitors.remove_peer,
                "Close": monitors.close,
            },
        ),
        Service(public.METRICS, dialect, {}),
    )
    return {service.interface.name: service for service in rows}


def _link(node: Node) -> Link:
    """Return the node's link, or raise: the guard has let the call pass."""
    if node.link is None:
        raise LookupError(f"{node.name} is offline")
    return node.link


def _forward(node: Node, call: Call) -> None:
    _link(node).forward(call)


def _set_node_log_level(node: Node, call: Call) -> None:
    (level,) = call.message.values()
    if level not in LOG_LEVELS:
        call.fail(errors.INVALID_ARGS, _bad_level(level))
        return

    def answered(reply: Message) -> None:
        if reply.type == ERROR:
            call.fail(errors.FAILED, reply.error_text())
        else:
            call.reply()

    message = call.message
    _link(node).call("SetLogLevel", call.guard(answered), "s", message.body, message.order)


def _gather(manager: Manager, call: Call) -> None:
    Gather(call, manager.nodes.values())


def _list_nodes(manager: Manager, call: Call) -> None:
    nodes = manager.nodes.values()
    call.reply_body(array_of_structs([node.listed(call.dialect) for node in nodes]))


def _get_node(manager: Manager, call: Call) -> None:
    (name,) = call.message.values()
    node = manager.nodes.get(name)
    if node is None:
        call.fail(errors.SERVICE_UNKNOWN, "Node not found")
    else:
        call.reply(call.dialect.path(node.path))


def _set_log_level(manager: Manager, call: Call) -> None:
    (level,) = call.message.values()
    if level not in LOG_LEVELS:
        call.fail(errors.INVALID_ARGS, _bad_level(level))
    else:
        manager.log.set_level(level)
        call.reply()


def _bad_level(level: str) -> str:
    return f"Invalid log level '{level}', expecting one of {', '.join(LOG_LEVELS)}"


_MANAGER_METHODS = {
    "ListUnits": _gather,
    "ListUnitFiles": _gather,
    "ListNodes": _list_nodes,
    "GetNode": _get_node,
    "SetLogLevel": _set_log_level,
}

_MANAGER_PROPERTIES = {
    "Status": lambda manager: manager.status,
    "LogLevel": lambda manager: manager.log.level,
    "LogTarget": lambda manager: manager.log_target,
}

_NODE_PROPERTIES = {
    "Name": lambda node: node.name,
    "Status": lambda node: node.status,
    "PeerIp": lambda node: node.peer_ip,
    "LastSeenTimestamp": lambda node: node.last_seen_us,
    "LastSeenTimestampMonotonic": lambda node: node.last_seen_monotonic_us,
}

_JOB_PROPERTIES = {
    "Id": lambda job: job.id,
    "Node": lambda job: job.node.name,
    "Unit": lambda job: job.unit,
    "JobType": lambda job: job.kind,
    "State": lambda job: job.state,
}
