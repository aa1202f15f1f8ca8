"""What the public API promises whoever listens, checked on what a client heard.

The promises are those of one life of the manager; when its name leaves the bus, all begins anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.sim.client import Asked, Client, Heard

JOB_METHODS = ("StartUnit", "StopUnit", "RestartUnit", "ReloadUnit")
# What the manager itself says about a node that is not there.
OFFLINE_ANSWERS = ("Offline", "AccessDenied", "UnknownObject")


class _Judge:
    """Follows one client's events."""

    def __init__(self, client: Client) -> None:
        self.faults: list[str] = []
        self._client = client
        self._calls: dict[int, Asked] = {asked.number: asked for asked in client.asked}
        self._open: dict[int, Asked] = {}
        self._ids: set[int] = set()
        self._life_begins()

    def _life_begins(self) -> None:
        # Jobs by relative path: what is known of them.
        self._jobs: dict[str, tuple[int, str]] = {}
        self._ids = set()
        self._online: dict[str, bool] = {}
        self._manager_status = "down"
        # The manager's status that must be told next.
        self._due: tuple[str, Heard] | None = None
        # At its end the manager tells its own status once, when all nodes are offline.
        self._ending = False

    def follow(self) -> None:
        """Look at everything that was heard."""
        for heard in self._client.heard:
            if heard.what == "end":
                self._ending = True
                continue
            if heard.what == "call":
                self._open[heard.number] = self._calls[heard.number]
                continue
            if self._due is not None and (heard.member, heard.path) != ("PropertiesChanged", "."):
                self._fault(heard, f"the manager's status should have become {self._due[0]}")
                self._due = None
            if heard.what == "answer":
                self._answer(heard)
            elif heard.what == "signal":
                handler = getattr(self, "_on_" + heard.member, None)
                if handler is not None:
                    handler(heard)
        for number, asked in self._open.items():
            self.faults.append(f"call #{number} {asked.member}{asked.arguments} has no answer")

    def _fault(self, heard: Heard, text: str) -> None:
        self.faults.append(f"{text}: {heard}")

    def _answer(self, heard: Heard) -> None:
        asked = self._open.pop(heard.number, None)
        if asked is None:
            self._fault(heard, "a second answer")
            return
        is_gone = self._online.get(asked.node) is False
        if is_gone and heard.member.rpartition(".")[2] not in OFFLINE_ANSWERS:
            self._fault(heard, "an answer of a node that was told to be offline")
        if asked.member in JOB_METHODS and asked.node and heard.member == "return":
            path = self._relative(heard.values[0])
            if path not in self._jobs:
                self._fault(heard, "a job that was not announced before, or is over")
            else:
                number, _ = self._jobs[path]
                self._jobs[path] = (number, asked.node)

    def _relative(self, path: str) -> str:
        return path[len(self._client.dialect.root) + 1 :]

    def _on_NameOwnerChanged(self, heard: Heard) -> None:
        self._life_begins()

    def _on_JobNew(self, heard: Heard) -> None:
        number, path = heard.values
        if number in self._ids:
            self._fault(heard, "an id is used again")
        if path != self._client.dialect.path(f"job/{number}"):
            self._fault(heard, "path and id differ")
        self._ids.add(number)
        self._jobs[self._relative(path)] = (number, "")

    def _on_JobRemoved(self, heard: Heard) -> None:
        number, path, node, _, _ = heard.values
        job = self._jobs.pop(self._relative(path), None)
        if job is None:
            self._fault(heard, "the end of a job that is not there")
        elif job[0] != number or job[1] not in ("", node):
            self._fault(heard, f"the job was {job}")
        elif self._online.get(node) is False:
            self._fault(heard, "the node was told to be offline before its job ended")

    def _on_PropertiesChanged(self, heard: Heard) -> None:
        interface, changed, _ = heard.values
        kind = interface.rpartition(".")[2]
        if kind == "Job" and heard.path not in self._jobs:
            self._fault(heard, "news of a job that is not there")
        if "Status" in changed and kind == "Node":
            self._node_status(heard, changed["Status"][1] == "online")
        if "Status" in changed and heard.path == "." and kind != "Agent":
            self._told(heard, changed["Status"][1])

    def _node_status(self, heard: Heard, online: bool) -> None:
        name = heard.path.rpartition("/")[2]
        if self._online.get(name) is online:
            self._fault(heard, "the node's status was told before")
        if not online:
            for path, (_, node) in self._jobs.items():
                if node == name:
                    self._fault(heard, f"{path} should have ended before")
        before = self._number_online()
        self._online[name] = online
        after = self._number_online()
        nodes = self._client.nodes
        if nodes and ({before, after} & {0, nodes}):
            status = {0: "down", nodes: "up"}.get(after, "degraded")
            if not self._ending:
                self._due = (status, heard)

    def _number_online(self) -> int:
        return sum(self._online.values())

    def _told(self, heard: Heard, status: str) -> None:
        due, self._due = self._due, None
        if self._ending:
            if status == "down" and self._number_online():
                self._fault(heard, "some nodes are not offline yet")
        elif due is None or due[0] != status:
            self._fault(heard, f"the manager's status was not due, or wrong: {due and due[0]}")


def broken(client: Client) -> list[str]:
    """Return the promises that were broken towards `client`, in words."""
    judge = _Judge(client)
    judge.follow()
    return judge.faults
