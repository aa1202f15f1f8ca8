"""What calls return, typed, and how it is made of what jeepney read."""

from __future__ import annotations

from typing import Any, NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

ONLINE = "online"


class NodeInfo(NamedTuple):
    """A configured node. `ip` is empty when it is offline or connected over a Unix socket."""

    name: str
    path: str
    status: str
    ip: str

    @property
    def is_online(self) -> bool:
        """Tell whether its agent is connected."""
        return self.status == ONLINE


class UnitInfo(NamedTuple):
    """A unit, as systemd's ListUnits tells it."""

    name: str
    description: str
    load: str
    active: str
    sub: str
    followed: str
    path: str
    job_id: int
    job_type: str
    job_path: str


class UnitFile(NamedTuple):
    """A unit file and whether it is `enabled`, `static` …"""

    path: str
    state: str


class UnitFileChange(NamedTuple):
    """What enabling or disabling did: `type` is `symlink` or `unlink`."""

    type: str
    file: str
    destination: str


class JobInfo(NamedTuple):
    """A job under way: `type` is `start`, `stop` …, `state` is `waiting` or `running`."""

    id: int
    path: str
    node: str
    unit: str
    type: str
    state: str


def plain(properties: dict[str, tuple[str, Any]]) -> dict[str, Any]:
    """Return properties without the signatures that jeepney gives with variants."""
    return {name: value for name, (_, value) in properties.items()}


def _units(rows: list[Any]) -> list[UnitInfo]:
    return [UnitInfo(*row) for row in rows]


def _files(rows: list[Any]) -> list[UnitFile]:
    return [UnitFile(*row) for row in rows]


def _changes(rows: list[Any]) -> list[UnitFileChange]:
    return [UnitFileChange(*row) for row in rows]


# By the signature of the answer. What is not here is returned as jeepney read it: a single value
# as itself, several as a tuple, none as None.
READERS: dict[str, Callable[..., Any]] = {
    "a(soss)": lambda rows: [NodeInfo(*row) for row in rows],
    "a(ssssssouso)": _units,
    "a{sa(ssssssouso)}": lambda nodes: {name: _units(rows) for name, rows in nodes.items()},
    "a(ss)": _files,
    "a{sa(ss)}": lambda nodes: {name: _files(rows) for name, rows in nodes.items()},
    "a(sss)": _changes,
    "ba(sss)": lambda carries, rows: (carries, _changes(rows)),
    "a{sv}": plain,
    "v": lambda variant: variant[1],
    "": lambda: None,
}
