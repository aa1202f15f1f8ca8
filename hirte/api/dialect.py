"""The two sets of names under which hirte speaks: its own, and that of Eclipse BlueChi.

Signatures, semantics, texts and defaults are the same in both. Everything is written in native
names; the compatible ones follow from them: another root, and `Controller` where the native name
says `Manager`.
"""

from __future__ import annotations


class Dialect:
    """One set of names. `bus_name` is the manager's; the agent's has `.Agent` behind it."""

    __slots__ = ("_role", "agent_bus_name", "bus_name", "name", "root")

    def __init__(self, name: str, bus_name: str, role: str) -> None:
        self.name = name
        self.bus_name = bus_name
        self.agent_bus_name = bus_name + ".Agent"
        self.root = "/" + bus_name.replace(".", "/")
        self._role = role

    def interface(self, native: str) -> str:
        """Return the full name of an interface or error, e.g. of `internal.Manager`."""
        return f"{self.bus_name}.{self.member(native)}"

    def member(self, native: str) -> str:
        """Return the name of a method, signal or property in this dialect."""
        return native.replace("Manager", self._role)

    def path(self, relative: str) -> str:
        """Return the object path of `relative`, e.g. of `job/1`; the root for the empty text."""
        return f"{self.root}/{relative}" if relative else self.root

    def __repr__(self) -> str:
        return f"<Dialect {self.name}>"


NATIVE = Dialect("native", "org.containers.hirte", "Manager")
COMPATIBLE = Dialect("compatible", "org.eclipse.bluechi", "Controller")

# The reference's programs; called by one of their names, hirte is that program.
_COMPATIBLE_PROGRAMS = "bluechi-"

# Which dialects are meant by the values of the settings BusNames and ManagerDialect.
CHOICES = {
    "native": (NATIVE,),
    "compatible": (COMPATIBLE,),
    "both": (NATIVE, COMPATIBLE),
    "auto": (NATIVE, COMPATIBLE),
}


def dialect_of(program: str) -> Dialect:
    """Return the dialect that the program of this name speaks."""
    return COMPATIBLE if program.startswith(_COMPATIBLE_PROGRAMS) else NATIVE
