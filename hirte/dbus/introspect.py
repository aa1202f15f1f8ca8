"""Introspection documents, made from the interface tables when somebody asks."""

from __future__ import annotations

from hirte.api.table import CONST, EXPLICIT, arguments_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hirte.dbus.objects import Service

_HEAD = """<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"
"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">
"""

_STANDARD = """ <interface name="org.freedesktop.DBus.Peer">
  <method name="Ping"/>
  <method name="GetMachineId">
   <arg type="s" name="machine_uuid" direction="out"/>
  </method>
 </interface>
 <interface name="org.freedesktop.DBus.Introspectable">
  <method name="Introspect">
   <arg name="xml_data" type="s" direction="out"/>
  </method>
 </interface>
 <interface name="org.freedesktop.DBus.Properties">
  <method name="Get">
   <arg name="interface_name" type="s" direction="in"/>
   <arg name="property_name" type="s" direction="in"/>
   <arg name="value" type="v" direction="out"/>
  </method>
  <method name="GetAll">
   <arg name="interface_name" type="s" direction="in"/>
   <arg name="props" type="a{sv}" direction="out"/>
  </method>
  <method name="Set">
   <arg name="interface_name" type="s" direction="in"/>
   <arg name="property_name" type="s" direction="in"/>
   <arg name="value" type="v" direction="in"/>
  </method>
  <signal name="PropertiesChanged">
   <arg type="s" name="interface_name"/>
   <arg type="a{sv}" name="changed_properties"/>
   <arg type="as" name="invalidated_properties"/>
  </signal>
 </interface>
"""


def document(services: Sequence[Service] | None, children: Sequence[str]) -> str:
    """Return the XML of one object path; None for `services` means that only children are there."""
    parts = [_HEAD, "<node>\n"]
    if services is not None:
        parts.append(_STANDARD)
        parts += [interface(service) for service in services]
    parts += [f' <node name="{name}"/>\n' for name in children]
    parts.append("</node>\n")
    return "".join(parts)


def interface(service: Service) -> str:
    """Return the XML of one interface in its dialect."""
    member = service.dialect.member
    table = service.interface
    lines = [f' <interface name="{service.name}">']
    for method in table.methods.values():
        arguments = _arguments(method.inputs, "in") + _arguments(method.outputs, "out")
        lines += _element("method", member(method.name), arguments)
    for row in table.properties.values():
        lines += _property(member(row.name), row.signature, row.change)
    for signal in table.signals.values():
        lines += _element("signal", member(signal.name), _arguments(signal.arguments, ""))
    lines.append(" </interface>\n")
    return "\n".join(lines)


def _arguments(text: str, direction: str) -> list[str]:
    suffix = f' direction="{direction}"' if direction else ""
    return [f'   <arg type="{kind}" name="{name}"{suffix}/>' for name, kind in arguments_of(text)]


def _element(tag: str, name: str, arguments: list[str]) -> list[str]:
    if not arguments:
        return [f'  <{tag} name="{name}"/>']
    return [f'  <{tag} name="{name}">', *arguments, f"  </{tag}>"]


def _property(name: str, signature: str, change: str) -> list[str]:
    head = f'  <property name="{name}" type="{signature}" access="read"'
    if change not in (CONST, EXPLICIT):
        return [head + "/>"]
    annotation = "org.freedesktop.DBus.Property.EmitsChangedSignal"
    return [head + ">", f'   <annotation name="{annotation}" value="{change}"/>', "  </property>"]
