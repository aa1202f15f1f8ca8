"""hirte proxy, as the one file, with an agent of the reference: sd-bus answers for it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .apart import apart
from .busagent import BusAgent
from .messages import Record
from .names import COMPATIBLE, DIALECTS, NATIVE, Names
from .peers import PATIENCE
from .privatebus import BUS, BusClient, private_bus

FILE = Path(__file__).parents[2] / "dist" / "hirte"
ERROR = "org.freedesktop.DBus.Error"

# How the helper is called for each dialect: the file's name, perhaps the mode.
CALLS = [(NATIVE, ("hirte-proxy",)), (NATIVE, ("hirte", "proxy")), (COMPATIBLE, ("bluechi-proxy",))]
VARIABLES = {False: "DBUS_SYSTEM_BUS_ADDRESS", True: "DBUS_SESSION_BUS_ADDRESS"}


class Scene:
    """An agent on a bus of its own, and helpers that find that bus."""

    def __init__(
        self, names: Names, call: tuple[str, ...], directory: Path, address: str
    ) -> None:
        self.names = names
        self.address = address
        self.program = " ".join(call)
        self.template = "bluechi-proxy" if names is COMPATIBLE else "hirte-proxy"
        self._call = call
        self._directory = directory
        self._started: list[subprocess.Popen[str]] = []
        for name in ("hirte", "hirte-proxy", "bluechi-proxy"):
            (directory / name).symlink_to(FILE)

    def helper(self, *words: str, user: bool = False) -> subprocess.Popen[str]:
        """Start a helper; the bus is the user's or the system's."""
        name, *mode = self._call
        helper = subprocess.Popen(
            [str(self._directory / name), *mode, *(["--user"] if user else []), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PATH": os.environ["PATH"], VARIABLES[user]: self.address},
        )
        self._started.append(helper)
        return helper

    def asked(self, agent: BusAgent, helper: subprocess.Popen[str], member: str) -> Record:
        """The helper's call, once it has arrived; the helper waits then."""
        call = agent.expect(member)
        assert (call.path, call.interface) == (self.names.root, self.names.agent_bus_name)
        assert helper.poll() is None
        return call

    def end(self) -> None:
        for helper in self._started:
            helper.kill()
            helper.communicate()


def ended(helper: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a helper that ends by itself."""
    out, err = helper.communicate(timeout=PATIENCE)
    return helper.returncode, out, err


@pytest.fixture(params=CALLS, ids=lambda call: " ".join(call[1]))
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    with private_bus(tmp_path) as address:
        names, call = request.param
        made = Scene(names, call, tmp_path, address)
        try:
            yield made
        finally:
            made.end()


@pytest.fixture
def agent(scene: Scene) -> Iterator[BusAgent]:
    with apart(lambda: BusAgent(scene.names, scene.address)) as agent:
        yield agent


@pytest.mark.parametrize("user", [False, True], ids=["system", "user"])
def test_it_asks_and_waits_for_the_answer(scene: Scene, agent: BusAgent, user: bool) -> None:
    for word, member in (("create", "CreateProxy"), ("Remove", "RemoveProxy")):
        helper = scene.helper(word, "bar_my_db.service", user=user)
        call = scene.asked(agent, helper, member)
        assert call.body == (f"{scene.template}@bar_my_db.service", "bar", "my_db.service")
        # Whatever else comes to it is not the answer.
        for _ in range(3):
            agent.signal(scene.names.root, scene.names.agent_bus_name, "Other", "s", "x")
            agent.arrived(BUS)
        assert helper.poll() is None
        agent.reply(call)
        assert ended(helper) == (0, "", "")


def test_many_at_once_answered_in_any_order(scene: Scene, agent: BusAgent) -> None:
    helpers = {f"u{n}.service": scene.helper("create", f"bar_u{n}.service") for n in range(4)}
    calls = [agent.expect("CreateProxy") for _ in helpers]
    for call in reversed(calls):
        agent.reply(call)
        assert ended(helpers.pop(call.body[2])) == (0, "", "")


def test_a_unit_that_does_not_start(scene: Scene, agent: BusAgent) -> None:
    helper = scene.helper("create", "bar_db.service")
    call = scene.asked(agent, helper, "CreateProxy")
    agent.refuse(call, f"{scene.names.bus_name}.ActivationFailed", "No such node")
    assert ended(helper) == (
        1,
        "",
        f"{scene.program}: CreateProxy for db.service on bar: the unit did not become active:"
        " No such node\n",
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Failed", "Proxy removed"),
        ("InvalidArgs", "Another proxy is there"),
        ("NoReply", "The manager does not answer"),
        ("AccessDenied", "not you"),
    ],
)
def test_other_errors_of_the_agent(scene: Scene, agent: BusAgent, name: str, text: str) -> None:
    helper = scene.helper("create", "bar_db.service")
    agent.refuse(scene.asked(agent, helper, "CreateProxy"), f"{ERROR}.{name}", text)
    said = f"{scene.program}: CreateProxy for db.service on bar: {text}\n"
    assert ended(helper) == (1, "", said)


def test_an_agent_that_leaves_while_it_is_asked(scene: Scene, agent: BusAgent) -> None:
    helper = scene.helper("create", "bar_db.service")
    scene.asked(agent, helper, "CreateProxy")
    os.kill(agent.process_id(), signal.SIGKILL)
    code, out, err = ended(helper)
    assert (code, out) == (1, "")
    assert err.endswith(": the agent went away before it answered\n")


def test_a_bus_that_ends_while_it_is_asked(tmp_path: Path) -> None:
    with contextlib.ExitStack() as agents:
        with private_bus(tmp_path) as address:
            scene = Scene(COMPATIBLE, ("bluechi-proxy",), tmp_path, address)
            agent = agents.enter_context(apart(lambda: BusAgent(scene.names, address)))
            helper = scene.helper("create", "bar_db.service")
            scene.asked(agent, helper, "CreateProxy")
        code, out, err = ended(helper)
    assert (code, out) == (1, "")
    assert err.startswith("bluechi-proxy: the system bus went away: ")


def test_nobody_is_there(scene: Scene) -> None:
    helper = scene.helper("create", "bar_db.service")
    code, out, err = ended(helper)
    assert (code, out) == (1, "")
    assert err.endswith(
        f": the agent is not running: nobody owns {scene.names.agent_bus_name} on the system bus\n"
    )


def test_an_agent_of_the_other_name_is_not_asked(scene: Scene) -> None:
    (other,) = (names for names in DIALECTS if names is not scene.names)
    with apart(lambda: BusAgent(other, scene.address)) as agent:
        assert ended(scene.helper("remove", "bar_db.service"))[0] == 1
        asked = [message for message in agent.arrived(BUS) if message.member == "RemoveProxy"]
        assert asked == []


def test_no_such_method(scene: Scene) -> None:
    """As our own agent is so far."""
    with apart(lambda: BusClient(scene.address)) as agent:
        owned = agent.result(
            BUS, "/", BUS, "RequestName", "su", scene.names.agent_bus_name, 0
        )
        assert owned == 1
        code, out, err = ended(scene.helper("create", "bar_db.service"))
    assert (code, out) == (1, "")
    assert err.startswith(f"{scene.program}: CreateProxy for db.service on bar: Unknown ")


def test_sigterm_ends_it_at_once(scene: Scene, agent: BusAgent) -> None:
    helper = scene.helper("create", "bar_db.service")
    call = scene.asked(agent, helper, "CreateProxy")
    helper.terminate()
    assert ended(helper) == (-signal.SIGTERM, "", "")
    agent.reply(call)


@pytest.mark.parametrize("words", [(), ("create",), ("create", "bar"), ("frob", "bar_db.service")])
def test_wrong_words_ask_nobody(scene: Scene, agent: BusAgent, words: tuple[str, ...]) -> None:
    code, out, err = ended(scene.helper(*words))
    assert (code, out) == (1, "")
    assert err.startswith(f"{scene.program}: ")
    calls = [message for message in agent.arrived(BUS) if message.kind == "call"]
    assert calls == []
