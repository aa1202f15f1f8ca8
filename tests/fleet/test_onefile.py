"""The one file as systemd starts it: with nothing to write to, as a user that did not exist."""

from __future__ import annotations

from pathlib import Path

import pytest

import hirte
from tests.bed import Fleet

FILE = Path(__file__).resolve().parent.parent.parent / "dist" / "hirte"

# All that a service can usually write to.
SEALED = ["ReadOnlyPaths=/", "InaccessiblePaths=/tmp /var/tmp /root /home"]


@pytest.mark.parametrize(
    "properties",
    [SEALED, ["DynamicUser=yes"], ["DynamicUser=yes", *SEALED]],
    ids=["read-only root", "dynamic user", "both"],
)
def test_it_starts_as_a_service(fleet: Fleet, properties: list[str]) -> None:
    (node,) = fleet.boot("node1")
    node.install(FILE, "/usr/bin/hirte", 0o755)
    options = [f"--property={one}" for one in properties]
    # The service shows first that it cannot write where a cache would be.
    script = "unset HOME; touch /usr/cache /root/cache || exec /usr/bin/hirte version"
    run = ["systemd-run", "--quiet", "--wait", "--pipe", *options, "/bin/sh", "-c", script]
    assert node.run(run).stdout == f"hirte version {hirte.__version__}\n"
