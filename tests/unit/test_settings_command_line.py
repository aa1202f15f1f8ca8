"""The command line of the daemons, and the texts that it can ask for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hirte import __version__
from hirte.settings import AgentSettings, Answer, ConfigError, ManagerSettings, load
from hirte.settings.command_line import build_parser
from hirte.settings.report import effective
from hirte.settings.table import ROLES
from tests.unit.test_settings import ADMIN, AGENT, FakeHost, agent, manager


def test_all_flags_of_the_agent():
    settings = agent(
        {"/my.conf": "[hirte-agent]\nHeartbeatInterval=1"},
        [
            "-H",
            "host",
            "-p",
            "1",
            "-a",
            "unix:path=/x",
            "-n",
            "n",
            "-i",
            "-1",
            "-c",
            "/my.conf",
            "-u",
        ],
    )
    assert settings.manager_host == "host"
    assert settings.manager_port == 1
    assert settings.manager_address == "unix:path=/x"
    assert settings.node_name == "n"
    assert settings.heartbeat_interval == -1
    assert settings.user is True
    assert settings.sources["heartbeat_interval"] == "command line --interval"


def test_long_flags_may_be_shortened_and_take_an_equals_sign():
    assert manager(argv=["--po", "1"]).manager_port == 1
    assert manager(argv=["--port=1"]).manager_port == 1
    assert agent(argv=["--name=-x"]).node_name == "-x"


def test_words_and_what_follows_two_dashes_are_ignored():
    settings = manager(argv=["word", "-p", "1", "-", "another", "--", "-p", "2", "--nonsense"])
    assert settings.manager_port == 1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--bogus"], "unknown option --bogus"),
        (["-x"], "unknown option -x"),
        (["-p"], "expected one argument"),
        (["-p", ""], "argument --port: it is empty"),
        (["-c", ""], "argument --config: it is empty"),
        (["-p", "1", "--user"], "unknown option --user"),
    ],
)
def test_a_wrong_command_line_is_told_with_the_usage(argv, message):
    with pytest.raises(ConfigError) as caught:
        load(ManagerSettings, argv, {}, FakeHost({}), program="hirte manager")
    first, usage = str(caught.value).split("\n", 1)
    assert first.startswith("hirte manager: ")
    assert message in first
    assert usage.startswith("usage: hirte manager [-p PORT]")


def test_values_are_checked_like_those_of_files():
    with pytest.raises(ConfigError) as caught:
        manager(argv=["--port", "65536"])
    assert str(caught.value) == (
        "command line --port: ManagerPort: '65536' is not between 0 and 65535"
    )


def test_version_and_help_are_answers():
    with pytest.raises(Answer, match=f"^hirte-manager version {__version__}$"):
        manager(argv=["-v"])
    with pytest.raises(Answer, match=f"^hirte agent version {__version__}$"):
        load(AgentSettings, ["--version"], {}, FakeHost({}), program="hirte agent")
    with pytest.raises(Answer, match=r"(?s)^usage: hirte-agent .*--interval MS.*default: 2000"):
        agent(argv=["--help"])


def test_help_comes_even_when_the_configuration_is_broken():
    with pytest.raises(Answer):
        manager({ADMIN: "nonsense"}, ["-h", "--bogus"])


@pytest.mark.parametrize("kind", ROLES)
def test_every_option_of_the_command_line_is_explained(kind):
    help_text = build_parser(kind).format_help()
    for option in kind.options():
        assert option.help
        for flag in option.flags:
            assert flag in help_text


def test_the_check_prints_values_and_sources():
    files = {ADMIN: "[hirte]\nAllowedNodeNames = a, b\nColour=red\n[node a]\nAllowDependenciesOn=b"}
    with pytest.raises(Answer) as caught:
        manager(files, ["--check-config", "-p", "7"], {"HIRTE_LOG_LEVEL": "DEBUG"})
    assert str(caught.value).split("\n") == [
        f"# warning: {ADMIN}:3: unknown option 'Colour' in [hirte]",
        "# no such file: /usr/share/hirte/config/hirte.conf",
        "# read: /etc/hirte/hirte.conf",
        "# no such file: /etc/hirte/hirte.conf.d/*.conf",
        "[hirte]",
        "ManagerPort=7 ; command line --port",
        "UseTCP=true ; built-in default",
        "UseUDS=true ; built-in default",
        "AllowedNodeNames=a,b ; /etc/hirte/hirte.conf:2",
        "HeartbeatInterval=0 ; built-in default",
        "NodeHeartbeatThreshold=6000 ; built-in default",
        "BusNames=native ; built-in default",
        "MetricsSocket= ; built-in default",
        "LogLevel=DEBUG ; environment HIRTE_LOG_LEVEL",
        "LogTarget=journald ; built-in default",
        "LogIsQuiet=false ; built-in default",
        "IPReceiveErrors=true ; built-in default",
        "TCPKeepAliveTime=1 ; built-in default",
        "TCPKeepAliveInterval=1 ; built-in default",
        "TCPKeepAliveCount=6 ; built-in default",
        "[node a]",
        "Allowed=false ; built-in default",
        "RequiredSelinuxContext= ; built-in default",
        "AllowDependenciesOn=b ; /etc/hirte/hirte.conf:5",
        "[node b]",
        "Allowed=false ; built-in default",
        "RequiredSelinuxContext= ; built-in default",
        "AllowDependenciesOn= ; built-in default",
    ]


def test_a_wrong_value_is_an_error_of_the_check_too():
    with pytest.raises(ConfigError, match=r"hirte\.conf:2: ManagerPort"):
        manager({ADMIN: "[hirte]\nManagerPort=x"}, ["--check-config"])


@pytest.mark.parametrize("dialect", ["native", "compatible"])
def test_the_effective_settings_are_a_configuration_file(dialect):
    first = agent(argv=["-n", "my node", "-p", "1", "-a", "unix:path=/x;y"], dialect=dialect)
    text = "\n".join(effective(first))
    path = first.files[dialect][1]
    second = agent({path: text}, dialect=dialect)
    for option in AgentSettings.options():
        assert second.values[option.attribute] == first.values[option.attribute]
    assert path != AGENT or dialect == "native"
    assert second.warnings == []


def test_without_a_command_line_nothing_heavy_is_imported():
    code = (
        "import sys; before = set(sys.modules)\n"
        "from hirte.settings import AgentSettings, load\n"
        "load(AgentSettings, [], {})\n"
        "heavy = {'argparse', 're', 'enum', 'typing', 'functools', 'dataclasses', 'configparser'}\n"
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
