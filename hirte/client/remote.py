"""An object of the manager: its methods and properties after a table of hirte.api.

Values go out as jeepney takes them: a variant is a pair of signature and value, an array is a list.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hirte.api.table import Interface
    from hirte.client.connection import Reply
    from hirte.client.session import Session


class Remote:
    """An object at `path`; `interface` is its table."""

    interface: Interface

    def __init__(self, session: Session, path: str, node: str = "") -> None:
        self.path = path
        self._session = session
        self._of_node = node

    def begin(self, member: str, *values: Any) -> Reply[Any]:
        """Call a method of the table by its native name, and do not wait for the answer.

        The result of the reply is what the method of this class would return. For a loop of your
        own: after `process`, look whether the reply is `done`.
        """
        return self._session.begin(self.path, self.interface, member, values, self._of_node)

    def call(self, member: str, *values: Any) -> Any:
        """Call a method of the table by its native name and wait for the answer."""
        return self.begin(member, *values).result()

    def get(self, name: str) -> Any:
        """Return a property of the table by its native name."""
        return self._session.get(self.path, self.interface, name, self._of_node).result()
