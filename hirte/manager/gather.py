"""One question to all online nodes, one answer from all of theirs.

The nodes' bodies are put together by copying; no unit is decoded.
"""

from __future__ import annotations

from hirte.api import public
from hirte.dbus import errors
from hirte.wire.errors import EncodeError
from hirte.wire.message import METHOD_RETURN, Message
from hirte.wire.splice import dict_of_arrays, native_body

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hirte.dbus.objects import Call
    from hirte.manager.link import Link
    from hirte.manager.node import Node


class Gather:
    """Asks every node of `nodes` for what the public method of the same name lists.

    The answer is a dictionary from node name to that result, in the order of `nodes`. It is sent
    when the last node has answered; one error fails the whole call, as in the reference.
    """

    def __init__(self, call: Call, nodes: Iterable[Node]) -> None:
        member = call.method.name
        self._call = call
        self._signature = public.NODE.methods[member].result
        self._bodies: dict[str, bytes] = {}
        self._failure = ""
        links = [(node.name, node.link) for node in nodes if node.link]
        self._open = len(links)
        for name, _ in links:
            self._bodies[name] = b""
        if not links:
            self._finish()
        for name, link in links:
            self._ask(name, link, member)

    def _ask(self, name: str, link: Link, member: str) -> None:
        def answered(reply: Message) -> None:
            link.counters.relayed_from_node(reply.body)
            self._take(name, reply)

        link.counters.relayed_to_node(b"")
        link.call(member, self._call.guard(answered))

    def _take(self, name: str, reply: Message) -> None:
        if reply.type != METHOD_RETURN:
            self._failure = self._failure or f"{name}: {reply.error_text()}"
        elif reply.signature != self._signature:
            self._failure = self._failure or f"{name}: answered with {reply.signature!r}"
        else:
            self._bodies[name] = native_body(reply)
        self._open -= 1
        if self._open == 0:
            self._finish()

    def _finish(self) -> None:
        if self._failure:
            text = f"Request to at least one node failed: {self._failure}"
            self._call.fail(errors.FAILED, text)
            return
        try:
            body = dict_of_arrays(self._bodies.items())
        except EncodeError as error:
            self._call.fail(errors.LIMITS_EXCEEDED, f"All nodes together: {error}")
        else:
            self._call.reply_body(body)
