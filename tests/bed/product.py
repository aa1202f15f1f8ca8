"""Puts hirte on nodes the way a package would: the one file, the files of systemd/, nothing else.

The fleet tests and `make run` use these functions, so what they show is what a user gets.
"""

from __future__ import annotations

from tests.bed.bus import WAIT_SECONDS, Bus
from tests.bed.fleet import REPOSITORY, BedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.bed.fleet import Fleet, Node

PROGRAM = REPOSITORY / "dist" / "hirte"
# Where the files of systemd/ belong, by pattern.
_PLACES = {
    "*.service": "/usr/lib/systemd/system",
    "*.socket": "/usr/lib/systemd/system",
    "user/*.service": "/usr/lib/systemd/user",
    "dbus/*.conf": "/usr/share/dbus-1/system.d",
    "tmpfiles.d/*.conf": "/usr/lib/tmpfiles.d",
}
# What a newcomer may try, and how: `PYTHONPATH=LIBRARY python3 EXAMPLES/...`.
EXAMPLES = "/usr/share/hirte/examples"
LIBRARY = "/usr/bin/hirte/site-packages"

MANAGER_UNIT = "hirte.service"
AGENT_UNIT = "hirte-agent.service"

NAME = "org.containers.hirte"
ROOT = "/org/containers/hirte"
MANAGER = f"{NAME}.Manager"


def installed_files() -> dict[str, Path]:
    """All files of systemd/ by the path that they have on a node."""
    files = {}
    for pattern, place in _PLACES.items():
        for source in sorted((REPOSITORY / "systemd").glob(pattern)):
            files[f"{place}/{source.name}"] = source
    return files


def manual_pages() -> dict[str, bytes]:
    """The manual pages, if they were built, by the path that they have on a node."""
    built = REPOSITORY / "dist" / "man"
    return {
        f"/usr/share/man/{page.relative_to(built)}": page.read_bytes()
        for page in sorted(built.glob("man?/*"))
    }


def install_hirte(node: Node, program: Path = PROGRAM) -> None:
    """Installs hirte on a node and does what a package manager does afterwards. Starts nothing."""
    if not program.exists():
        raise BedError(f"{program} is missing: run `make zipapp`")
    node.install(program, "/usr/bin/hirte", 0o755)
    examples = sorted((REPOSITORY / "examples").glob("*.py"))
    files = {**installed_files(), **{f"{EXAMPLES}/{path.name}": path for path in examples}}
    node.write_all({path: source.read_bytes() for path, source in files.items()})
    node.run(["systemd-tmpfiles", "--create", "hirte.conf"])
    node.systemctl("daemon-reload")
    node.systemctl("reload", "dbus.service")


def configure(node: Node, path: str, section: str, options: Mapping[str, str]) -> None:
    """Writes a configuration file with one section."""
    lines = [f"[{section}]", *(f"{name}={value}" for name, value in options.items())]
    node.write(path, "\n".join(lines) + "\n")


def configure_manager(node: Node, names: Sequence[str], **options: str) -> None:
    """Writes /etc/hirte/hirte.conf for a fleet of the nodes `names`."""
    allowed = {"AllowedNodeNames": ",".join(names)}
    configure(node, "/etc/hirte/hirte.conf", "hirte", {**allowed, **options})


def configure_agent(node: Node, manager: Node, **options: str) -> None:
    """Writes /etc/hirte/agent.conf for an agent of `manager`."""
    identity = {"NodeName": node.name, "ManagerHost": manager.name}
    configure(node, "/etc/hirte/agent.conf", "hirte-agent", {**identity, **options})


def wait_for_status(manager: Node, status: str, seconds: float = WAIT_SECONDS) -> None:
    """Until the manager says of its fleet `up`, `degraded` or `down`. Raises TimeoutError."""
    with Bus(manager.bus_address) as bus:
        bus.wait_for_property(NAME, ROOT, MANAGER, "Status", lambda is_: is_ == status, seconds)


def deploy(fleet: Fleet, *names: str) -> list[Node]:
    """Boots nodes and runs hirte on them: the manager on the first, an agent on every one.

    Returns the nodes when all of them are online.
    """
    nodes = fleet.boot(*names)
    manager = nodes[0]
    for node in nodes:
        install_hirte(node)
        configure_agent(node, manager)
    configure_manager(manager, names)
    manager.systemctl("start", MANAGER_UNIT)
    for node in nodes:
        node.systemctl("start", AGENT_UNIT)
    wait_for_status(manager, "up")
    return nodes
