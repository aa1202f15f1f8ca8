"""A node: the systemd of one machine, as its methods in the table."""

from __future__ import annotations

from hirte.api import public
from hirte.client.remote import Remote
from hirte.wire.escape import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hirte.client.connection import Reply
    from hirte.client.job import Job, Jobs
    from hirte.client.session import Session
    from hirte.client.values import UnitFile, UnitFileChange, UnitInfo

    # A property's name and value as a variant: (signature, value).
    Properties = dict[str, tuple[str, Any]]

# What systemd does with other jobs that stand in the way: the new one takes their place.
REPLACE = "replace"
_UNIT = "org.freedesktop.systemd1.Unit"


class Node(Remote):
    """A node by its name, whether or not one of that name is configured.

    Methods raise NodeUnknown, NodeOffline, UnitUnknown, NotPermitted, CallError with what the
    node's systemd says, Timeout and ManagerAway.
    """

    interface = public.NODE

    def __init__(self, session: Session, jobs: Jobs, name: str) -> None:
        super().__init__(session, session.dialect.path(f"node/{escape(name)}"), name)
        self.name = name
        self._jobs = jobs

    def begin(self, member: str, *values: Any) -> Reply[Any]:
        """Call a method, see Remote; the result of those that make a job is the Job."""
        kind = public.JOB_TYPES.get(member)
        if kind is not None:
            self._jobs.listen()
        reply = super().begin(member, *values)
        if kind is not None:
            unit = values[0]
            reply.then(lambda path: self._jobs.add(path, self.name, unit, kind))
        return reply

    # Jobs

    def start_unit(self, name: str, mode: str = REPLACE) -> Job:
        """Start a unit; `mode` is systemd's: `replace`, `fail`, `isolate` …"""
        return self._job("StartUnit", name, mode)

    def stop_unit(self, name: str, mode: str = REPLACE) -> Job:
        """Stop a unit."""
        return self._job("StopUnit", name, mode)

    def restart_unit(self, name: str, mode: str = REPLACE) -> Job:
        """Stop a unit if it runs, and start it."""
        return self._job("RestartUnit", name, mode)

    def reload_unit(self, name: str, mode: str = REPLACE) -> Job:
        """Let a unit reload its configuration."""
        return self._job("ReloadUnit", name, mode)

    def _job(self, member: str, name: str, mode: str) -> Job:
        job: Job = self.call(member, name, mode)
        return job

    def start_transient_unit(
        self,
        name: str,
        properties: Properties,
        mode: str = REPLACE,
        aux: list[tuple[str, Properties]] | None = None,
    ) -> str:
        """Make and start a unit that has no file; return the path of systemd's job on the node.

        The manager has no job for it: that it runs is seen by a monitor.
        """
        others = [(other, list(given.items())) for other, given in aux or []]
        path: str = self.call("StartTransientUnit", name, mode, list(properties.items()), others)
        return path

    # Units

    def list_units(self) -> list[UnitInfo]:
        """Return the units that the node's systemd has loaded."""
        units: list[UnitInfo] = self.call("ListUnits")
        return units

    def get_unit_properties(self, name: str, interface: str = _UNIT) -> dict[str, Any]:
        """Return a unit's properties, by default those that all types of units have.

        systemd loads the unit for it; one that does not exist has a LoadState of `not-found`.
        """
        properties: dict[str, Any] = self.call("GetUnitProperties", name, interface)
        return properties

    def get_unit_property(self, name: str, property: str, interface: str = _UNIT) -> Any:
        """Return one property of a unit."""
        return self.call("GetUnitProperty", name, interface, property)

    def set_unit_properties(
        self, name: str, keyvalues: Properties, *, runtime: bool = False
    ) -> None:
        """Set properties of a unit, e.g. `{"CPUWeight": ("t", 50)}`.

        They outlive a reboot unless `runtime`.
        """
        self.call("SetUnitProperties", name, runtime, list(keyvalues.items()))

    def freeze_unit(self, name: str) -> None:
        """Halt all processes of a unit."""
        self.call("FreezeUnit", name)

    def thaw_unit(self, name: str) -> None:
        """Let the processes of a frozen unit go on."""
        self.call("ThawUnit", name)

    def kill_unit(self, name: str, whom: str = "all", signal: int = 15) -> None:
        """Send a signal to `all` processes of a unit, or to the `main` or the `control` process."""
        self.call("KillUnit", name, whom, signal)

    def reset_failed_unit(self, name: str) -> None:
        """Forget that a unit has failed."""
        self.call("ResetFailedUnit", name)

    def reset_failed(self) -> None:
        """Forget that units have failed."""
        self.call("ResetFailed")

    # Unit files

    def list_unit_files(self) -> list[UnitFile]:
        """Return the unit files of the node."""
        files: list[UnitFile] = self.call("ListUnitFiles")
        return files

    def get_unit_file_state(self, file: str) -> str:
        """Return whether a unit file is `enabled`, `static` …"""
        return str(self.call("GetUnitFileState", file))

    def enable_unit_files(
        self, files: list[str], *, runtime: bool = False, force: bool = False
    ) -> tuple[bool, list[UnitFileChange]]:
        """Enable units; return whether the files say how, and what was changed."""
        done: tuple[bool, list[UnitFileChange]] = self.call(
            "EnableUnitFiles", files, runtime, force
        )
        return done

    def disable_unit_files(
        self, files: list[str], *, runtime: bool = False
    ) -> list[UnitFileChange]:
        """Disable units; return what was changed."""
        changes: list[UnitFileChange] = self.call("DisableUnitFiles", files, runtime)
        return changes

    def get_default_target(self) -> str:
        """Return the target that the node boots into."""
        return str(self.call("GetDefaultTarget"))

    def set_default_target(
        self, defaulttarget: str, *, force: bool = False
    ) -> list[UnitFileChange]:
        """Set the target that the node boots into; return what was changed."""
        changes: list[UnitFileChange] = self.call("SetDefaultTarget", defaulttarget, force)
        return changes

    def reload(self) -> None:
        """Let the node's systemd read its unit files again."""
        self.call("Reload")

    # The agent

    def set_log_level(self, level: str) -> None:
        """Set the log level of the node's agent: `DEBUG`, `INFO`, `WARN` or `ERROR`."""
        self.call("SetLogLevel", level)

    def status(self) -> str:
        """Return `online` or `offline`."""
        return str(self.get("Status"))

    def peer_ip(self) -> str:
        """Return the agent's address; empty if offline or connected over a Unix socket."""
        return str(self.get("PeerIp"))

    def last_seen_timestamp(self) -> int:
        """Return when the agent was last heard, in microseconds since the epoch; 0 for never."""
        return int(self.get("LastSeenTimestamp"))

    def last_seen_timestamp_monotonic(self) -> int:
        """Return the same on CLOCK_MONOTONIC of the manager's machine."""
        return int(self.get("LastSeenTimestampMonotonic"))
