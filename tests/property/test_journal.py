"""Records in journald's native protocol: whatever the values are, they stay values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hirte.runtime.log import Log, _native
from tests.unit.test_log import parse_native

TEXT = st.text(st.one_of(st.characters(), st.sampled_from("\n=\0\udcff")))


class BytesTarget:
    """Keeps what would be sent."""

    def write(self, record):
        self.data = _native(record)
        return True


@given(TEXT, st.dictionaries(st.from_regex(r"[A-Z][A-Z0-9_]{0,63}", fullmatch=True), TEXT))
def test_values_stay_values(message, fields):
    target = BytesTarget()
    Log(target).info(message, **fields)
    received = parse_native(target.data)

    def as_sent(text):
        return text.encode("utf-8", "backslashreplace").decode()

    assert received[0] == ("MESSAGE", as_sent(message))
    assert [name for name, _ in received[1:5]] == [
        "PRIORITY",
        "CODE_FILE",
        "CODE_LINE",
        "CODE_FUNC",
    ]
    assert received[5:] == [(name, as_sent(value)) for name, value in fields.items()]
