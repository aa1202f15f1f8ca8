"""What the settings ask of the host: files and its name. Tests hand in something else."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Host(Protocol):
        """Where settings come from; failures are OSError."""

        def read(self, path: str) -> bytes:
            """Return the content of a file."""

        def names(self, directory: str) -> list[str]:
            """Return the names in a directory, in any order."""

        def host_name(self) -> str:
            """Return the name of this host."""


class ThisHost:
    """The host this process runs on."""

    __slots__ = ()

    def read(self, path: str) -> bytes:
        with open(path, "rb") as file:
            return file.read()

    def names(self, directory: str) -> list[str]:
        return os.listdir(directory)

    def host_name(self) -> str:
        return os.uname().nodename
