"""Who serves each row of the agent's interface tables, internal and public."""

from __future__ import annotations

from hirte.agent.systemd import PROPERTIES, UNIT, UNIT_PATH
from hirte.api import internal, public
from hirte.dbus import errors
from hirte.dbus.objects import Service
from hirte.wire.encode import encode
from hirte.wire.escape import escape
from hirte.wire.splice import array_behind, native_body, skip_strings

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


def _on_unit(agent: Agent, call: Call) -> None:
    """Call a method of the unit itself; what follows the unit's name is passed on unread."""
    member, signature = _UNIT_METHODS[call.method.name]
    body = native_body(call.message)
    (unit,), end = skip_strings(body, 1)
    agent.systemd.call(
        member, call.relay, signature, _behind_name(body, end) if signature else b"",
        path=UNIT_PATH + escape(unit), interface=UNIT,
    )  # fmt: skip


def _behind_name(body: bytes, end: int) -> bytes:
    start = end + -end % 4
    return array_behind(body[start : start + 4], body, start + 4)


def _enable_metrics(agent: Agent, call: Call) -> None:
    _switch_metrics(agent, call, True)


def _disable_metrics(agent: Agent, call: Call) -> None:
    _switch_metrics(agent, call, False)


def _switch_metrics(agent: Agent, call: Call, on: bool) -> None:
    if agent.jobs.measuring == on:
        call.fail(errors.INVALID_ARGS, f"Metrics are {'on' if on else 'off'} already")
    else:
        agent.jobs.measuring = on
        call.reply()


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


# The internal method's counterpart on systemd's unit object, and its arguments.
_UNIT_METHODS = {
    "FreezeUnit": ("Freeze", ""),
    "ThawUnit": ("Thaw", ""),
    "SetUnitProperties": ("SetProperties", "ba(sv)"),
}

_INTERNAL_METHODS = {
    **dict.fromkeys(public.JOB_TYPES, _request_job),
    **dict.fromkeys(_UNIT_METHODS, _on_unit),
    "JobCancel": _cancel_job,
    "GetUnitProperties": _get_unit_properties,
    "GetUnitProperty": _get_unit_property,
    "SetLogLevel": _set_log_level,
    "Subscribe": _subscribe,
    "Unsubscribe": _unsubscribe,
    "EnableMetrics": _enable_metrics,
    "DisableMetrics": _disable_metrics,
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
