"""Who serves each row of the agent's interface tables, internal and public."""

from __future__ import annotations

from hirte.agent.systemd import PROPERTIES, UNIT_PATH
from hirte.api import internal, public
from hirte.dbus import errors
from hirte.dbus.objects import Service
from hirte.wire.encode import encode
from hirte.wire.escape import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hirte.agent.agent import Agent
    from hirte.api.dialect import Dialect
    from hirte.dbus.objects import Call


def internal_service(dialect: Dialect) -> Service:
    """Return what the manager may call, in `dialect`."""
    forwarded = {row.name: _forward for row in internal.AGENT.methods.values() if row.forward}
    methods = {**_INTERNAL_METHODS, **forwarded}
    return Service(internal.AGENT, dialect, methods)


def public_service(dialect: Dialect) -> Service:
    """Return the agent's object on the public bus, in `dialect`."""
    return Service(public.AGENT, dialect, _PUBLIC_METHODS, _PUBLIC_PROPERTIES)


def _forward(agent: Agent, call: Call) -> None:
    """Pass a call on to systemd's Manager, arguments unread."""
    message = call.message
    agent.systemd.call(
        call.method.name, call.relay, message.signature, message.body, message.order
    )


def _request_job(agent: Agent, call: Call) -> None:
    agent.jobs.request(call)


def _cancel_job(agent: Agent, call: Call) -> None:
    agent.jobs.cancel(call)


def _get_unit_properties(agent: Agent, call: Call) -> None:
    unit, interface = call.message.values()
    agent.systemd.call(
        "GetAll", call.relay, "s", encode("s", (interface,)),
        path=UNIT_PATH + escape(unit), interface=PROPERTIES,
    )  # fmt: skip


def _get_unit_property(agent: Agent, call: Call) -> None:
    unit, interface, name = call.message.values()
    agent.systemd.call(
        "Get", call.relay, "ss", encode("ss", (interface, name)),
        path=UNIT_PATH + escape(unit), interface=PROPERTIES,
    )  # fmt: skip


def _set_log_level(agent: Agent, call: Call) -> None:
    (level,) = call.message.values()
    try:
        agent.log.set_level(level)
    except ValueError as error:
        call.fail(errors.FAILED, str(error))
    else:
        call.reply()


def _subscribe(agent: Agent, call: Call) -> None:
    (unit,) = call.message.values()
    if agent.units.subscribe(unit):
        call.reply()
    else:
        call.fail(errors.FAILED, f"Already subscribed to '{unit}'")


def _unsubscribe(agent: Agent, call: Call) -> None:
    (unit,) = call.message.values()
    if agent.units.unsubscribe(unit):
        call.reply()
    else:
        call.fail(errors.FAILED, f"Not subscribed to '{unit}'")


def _switch_manager(agent: Agent, call: Call) -> None:
    (address,) = call.message.values()
    if address == agent.uplink.address:
        call.fail(errors.FAILED, f"Already configured for '{address}'")
        return
    agent.uplink.switch(address)
    call.reply()


_INTERNAL_METHODS = {
    **dict.fromkeys(public.JOB_TYPES, _request_job),
    "JobCancel": _cancel_job,
    "GetUnitProperties": _get_unit_properties,
    "GetUnitProperty": _get_unit_property,
    "SetLogLevel": _set_log_level,
    "Subscribe": _subscribe,
    "Unsubscribe": _unsubscribe,
}

_PUBLIC_METHODS = {
    "SwitchManager": _switch_manager,
    "JobCancel": _cancel_job,
}

_PUBLIC_PROPERTIES = {
    "Status": lambda agent: agent.uplink.status,
    "LogLevel": lambda agent: agent.log.level,
    "LogTarget": lambda agent: agent.log_target,
    "DisconnectTimestamp": lambda agent: agent.uplink.disconnected_us,
    "DisconnectTimestampMonotonic": lambda agent: agent.uplink.disconnected_monotonic_us,
    "LastSeenTimestamp": lambda agent: agent.uplink.last_seen_us,
    "LastSeenTimestampMonotonic": lambda agent: agent.uplink.last_seen_monotonic_us,
    "ManagerAddress": lambda agent: agent.uplink.address,
}
