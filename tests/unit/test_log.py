"""The log: what arrives at journald and on stderr, and that it never waits."""

from __future__ import annotations

import os
import re
import socket
import time

import pytest

from hirte.runtime.log import Journal, Log, Stderr, open_log


class ListTarget:
    """Takes records as long as it is told to."""

    def __init__(self):
        self.records = []
        self.takes = True

    def write(self, record):
        if self.takes:
            self.records.append(record)
        return self.takes


class Journald:
    """The receiving end of the native protocol."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.setblocking(False)

    def receive(self):
        """Return the fields of the next record, in order."""
        data, fds, _, _ = socket.recv_fds(self.socket, 1 << 20, 1)
        for fd in fds:
            data = os.pread(fd, 1 << 28, 0)
            with pytest.raises(PermissionError):
                os.write(fd, b"sealed")
            os.close(fd)
        return parse_native(data)


def parse_native(data):
    fields = []
    while data:
        end = data.index(b"\n")
        name, equals, value = data[:end].partition(b"=")
        data = data[end + 1 :]
        if not equals:
            size = int.from_bytes(data[:8], "little")
            value, newline = data[8 : 8 + size], data[8 + size : 9 + size]
            assert newline == b"\n"
            data = data[9 + size :]
        fields.append((name.decode(), value.decode()))
    return fields


@pytest.fixture
def journald(tmp_path, monkeypatch):
    # Paths of Unix sockets are short, those of temporary directories may not be.
    monkeypatch.chdir(tmp_path)
    journald = Journald("journal")
    yield journald
    journald.socket.close()


@pytest.fixture
def journal(journald):
    """The sending end."""
    journal = Journal("hirte-manager", "journal")
    yield journal
    journal.close()


@pytest.fixture
def pipe():
    read, write = os.pipe()
    os.set_blocking(read, False)
    yield read, write
    for fd in (read, write):
        try:
            os.close(fd)
        except OSError:
            pass  # the test closed it


def test_a_record_has_the_standard_fields_and_ours(journald, journal):
    log = Log(journal)
    log.info("unit started", NODE="node1", JOB_ID=7, PEER=None)
    fields = journald.receive()
    line = dict(fields).pop("CODE_LINE")
    assert fields == [
        ("SYSLOG_IDENTIFIER", "hirte-manager"),
        ("MESSAGE", "unit started"),
        ("PRIORITY", "6"),
        ("CODE_FILE", __file__[__file__.rfind("/hirte/") + 1 :]),
        ("CODE_LINE", line),
        ("CODE_FUNC", "test_a_record_has_the_standard_fields_and_ours"),
        ("NODE", "node1"),
        ("JOB_ID", "7"),
    ]
    with open(__file__) as source:
        assert "unit started" in source.read().split("\n")[int(line) - 1]


def test_levels_become_priorities(journald, journal):
    log = Log(journal, "DEBUG")
    for write in (log.debug, log.info, log.warning, log.error):
        write("text")
    assert [dict(journald.receive())["PRIORITY"] for _ in range(4)] == ["7", "6", "4", "3"]


def test_a_value_cannot_become_a_field(journald, journal):
    log = Log(journal)
    evil = "a\nPRIORITY=0\n\0\N{SNOWMAN}"
    log.warning(evil, NODE=evil, UNIT="b=c")
    fields = journald.receive()
    assert ("MESSAGE", evil) in fields
    assert ("NODE", evil) in fields
    assert ("UNIT", "b=c") in fields
    assert [value for name, value in fields if name == "PRIORITY"] == ["4"]


def test_what_is_no_text_is_logged_nevertheless(journald, journal):
    log = Log(journal)
    log.info("a\udcffb", NODE=b"\xff")
    fields = dict(journald.receive())
    assert fields["MESSAGE"] == r"a\udcffb"
    assert fields["NODE"] == r"b'\xff'"


def test_names_that_journald_refuses_are_left_out(journald, journal):
    log = Log(journal)
    bad = {"lower": 1, "_PID": 1, "A-B": 1, "A\nB": 1, "Ä": 1, "1A": 1, "": 1, "A" * 65: 1}
    log.info("text", **bad, GOOD_1=1)
    assert [name for name, _ in journald.receive()][6:] == ["GOOD_1"]


def test_a_large_record_goes_by_a_sealed_file(journald, journal):
    log = Log(journal)
    text = "line\n" * 1_000_000
    log.info(text, NODE="n")
    fields = dict(journald.receive())
    assert fields["MESSAGE"] == text
    assert fields["NODE"] == "n"


def test_a_full_journal_does_not_block_and_the_loss_is_told(journald, journal):
    log = Log(journal)
    sent = 0
    while not log._lost:
        log.info("text")
        sent += 1
        assert sent < 10_000
    log.info("x" * 10_000_000)
    log.info("text")
    for _ in range(sent - 1):
        journald.receive()
    log.info("again", NODE="n")
    fields = dict(journald.receive())
    assert fields["MESSAGE"] == "again (3 earlier log records were lost)"
    assert fields["LOST_RECORDS"] == "3"
    log.info("normal")
    assert dict(journald.receive())["MESSAGE"] == "normal"


def test_a_journald_that_comes_back_gets_the_next_record(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = Log(Journal("x", "journal"))
    log.info("nobody is there")
    first = Journald("journal")
    log.info("one")
    assert dict(first.receive())["LOST_RECORDS"] == "1"
    first.socket.close()
    log.info("the socket is dead")
    os.unlink("journal")
    second = Journald("journal")
    log.info("two")
    assert dict(second.receive())["LOST_RECORDS"] == "1"
    second.socket.close()
    log.close()
    log.info("closed, and no reason to die")


@pytest.mark.parametrize(
    ("level", "expected"),
    [("DEBUG", "diwe"), ("INFO", "iwe"), ("WARN", "we"), ("ERROR", "e")],
)
def test_less_important_records_are_not_written(level, expected):
    target = ListTarget()
    log = Log(target, level)
    log.debug("d")
    log.info("i")
    log.warning("w")
    log.error("e")
    assert "".join(record.message for record in target.records) == expected


def test_the_level_changes_at_run_time_and_quiet_wins():
    target = ListTarget()
    log = Log(target, "ERROR")
    log.info("no")
    log.set_level("DEBUG")
    assert log.level == "DEBUG"
    log.debug("one")
    log.set_quiet(True)
    log.set_level("INFO")
    log.error("no")
    log.set_quiet(False)
    log.debug("no")
    log.info("two")
    assert [record.message for record in target.records] == ["one", "two"]


@pytest.mark.parametrize("level", ["", "info", "WARNING", "7"])
def test_other_levels_are_refused_and_change_nothing(level):
    log = Log(ListTarget(), "WARN")
    with pytest.raises(ValueError, match="is none of ERROR, WARN, INFO, DEBUG"):
        log.set_level(level)
    assert log.level == "WARN"


def test_lost_records_are_counted_until_one_gets_through():
    target = ListTarget()
    log = Log(target)
    target.takes = False
    log.info("a")
    log.info("b")
    target.takes = True
    log.info("c")
    log.info("d")
    assert [record.message for record in target.records] == [
        "c (2 earlier log records were lost)",
        "d",
    ]


@pytest.fixture
def in_kolkata(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_kolkata")
def test_stderr(pipe):
    read, write = pipe
    log = Log(Stderr(False, write, lambda: 1700000000.0379))
    log.warning("unit failed", NODE="n")
    assert os.read(read, 999) == b"2023-11-15 03:43:20,037+0530 WARN\t: unit failed\n"


@pytest.mark.usefixtures("in_kolkata")
def test_stderr_full(pipe):
    read, write = pipe
    log = Log(Stderr(True, write, lambda: 1700000000.5))
    log.error("unit failed", NODE="n", JOB_ID=3, PEER=None)
    log.error("alone")
    first, second = os.read(read, 9999).decode().splitlines()
    place = re.escape(__file__[__file__.rfind("/hirte/") + 1 :])
    assert re.fullmatch(
        rf"2023-11-15 03:43:20,500\+0530 ERROR\t{place}:\d+ test_stderr_full"
        r'\tmsg="unit failed", data="NODE=n JOB_ID=3"',
        first,
    )
    assert second.endswith('\tmsg="alone"')


def test_a_message_cannot_become_a_line_or_a_command_of_the_terminal(pipe):
    read, write = pipe
    Log(Stderr(True, write)).info("a\nb\r\x1b[2J\x9b\t\N{SNOWMAN}\udcff", NODE="c\nd")
    line = os.read(read, 999).decode()
    assert line.count("\n") == 1
    assert 'msg="a\\nb\\r\\x1b[2J\\x9b\t\N{SNOWMAN}\\udcff", data="NODE=c\\nd"' in line


def test_a_reader_of_stderr_that_sleeps_does_not_stop_us(pipe):
    read, write = pipe
    log = Log(Stderr(False, write))
    for _ in range(100):
        log.info("x" * 3000)
    assert log._lost > 0
    lost = log._lost
    while len(os.read(read, 1 << 20)) == 1 << 20:
        pass
    log.info("awake")
    assert os.read(read, 999).endswith(f"awake ({lost} earlier log records were lost)\n".encode())


def test_a_line_that_was_cut_does_not_run_into_the_next(pipe):
    read, write = pipe
    log = Log(Stderr(False, write))
    log.info("x" * (1 << 20))
    first = os.read(read, 1 << 20)
    assert not first.endswith(b"\n")
    log.info("whole")
    log.info("next")
    lines = os.read(read, 999).decode().split("\n")
    assert lines[0] == ""
    assert lines[1].endswith("\t: whole (1 earlier log records were lost)")
    assert lines[2].endswith("\t: next")


def test_a_long_line_arrives_whole_when_there_is_room(tmp_path):
    with open(tmp_path / "log", "wb") as file:
        Log(Stderr(False, file.fileno())).info("x" * 100_000)
    assert len((tmp_path / "log").read_bytes().partition(b"\t: ")[2]) == 100_001


def test_a_broken_stderr_is_no_reason_to_die(pipe):
    read, write = pipe
    log = Log(Stderr(False, write))
    os.close(read)
    log.info("nobody reads")
    os.close(write)
    log.info("nothing is there")
    assert log._lost == 2


def test_the_settings_choose_the_target():
    log = open_log("stderr-full", "hirte-agent", "WARN", True)
    assert isinstance(log._target, Stderr)
    assert log._target._full
    assert (log.level, log.threshold) == ("WARN", -1)
    assert not open_log("stderr", "x", "INFO", False)._target._full
    log = open_log("journald", "x", "INFO", False)
    assert isinstance(log._target, Journal)
    log.close()
