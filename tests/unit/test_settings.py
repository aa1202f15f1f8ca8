"""Settings: whose value wins, what a value means, what is refused and what is only warned of."""

from __future__ import annotations

import pytest

from hirte.settings import AgentSettings, ConfigError, ManagerSettings, load

ADMIN = "/etc/hirte/hirte.conf"
VENDOR = "/usr/share/hirte/config/hirte.conf"
DROP_INS = "/etc/hirte/hirte.conf.d"
AGENT = "/etc/hirte/agent.conf"


class FakeHost:
    """A host with these files; a value that is an OSError is raised."""

    def __init__(self, files):
        self.files = files

    def read(self, path):
        content = self.files.get(path)
        if content is None:
            raise FileNotFoundError(2, "No such file or directory")
        if isinstance(content, OSError):
            raise content
        return content.encode() if isinstance(content, str) else content

    def names(self, directory):
        found = self.files.get(directory)
        if isinstance(found, OSError):
            raise found
        prefix = directory + "/"
        names = [path[len(prefix) :] for path in self.files if path.startswith(prefix)]
        if not names:
            raise FileNotFoundError(2, "No such file or directory")
        return names

    def host_name(self):
        return "this-host"


def manager(files=(), argv=(), environ=(), dialect="native"):
    return load(ManagerSettings, list(argv), dict(environ), FakeHost(dict(files)), dialect)


def agent(files=(), argv=(), environ=(), dialect="native"):
    return load(AgentSettings, list(argv), dict(environ), FakeHost(dict(files)), dialect)


def admin(text):
    return manager({ADMIN: text})


def test_manager_defaults():
    settings = manager()
    assert settings.manager_port == 842
    assert settings.use_tcp is True
    assert settings.use_uds is True
    assert settings.allowed_node_names == ()
    assert settings.heartbeat_interval == 0
    assert settings.node_heartbeat_threshold == 6000
    assert settings.log_level == "INFO"
    assert settings.log_target == "journald"
    assert settings.log_is_quiet is False
    assert settings.ip_receive_errors is True
    assert settings.tcp_keep_alive_time == 1
    assert settings.tcp_keep_alive_interval == 1
    assert settings.tcp_keep_alive_count == 6
    assert settings.bus_names == "native"
    assert settings.nodes == ()
    assert settings.warnings == []
    assert set(settings.sources.values()) == {"built-in default"}


def test_agent_defaults():
    settings = agent()
    assert settings.node_name == "this-host"
    assert settings.sources["node_name"] == "built-in default (host name)"
    assert settings.manager_host == "127.0.0.1"
    assert settings.manager_port == 842
    assert settings.manager_address == ""
    assert settings.heartbeat_interval == 2000
    assert settings.manager_heartbeat_threshold == 0
    assert settings.connection_retry_count_until_quiet == 10
    assert settings.bus_names == "native"
    assert settings.manager_dialect == "auto"
    assert settings.user is False


def test_values_cannot_be_changed():
    with pytest.raises(AttributeError):
        manager().manager_port = 1


def test_each_source_wins_over_the_ones_before():
    files = {}
    argv: list[str] = []
    environ = {}
    steps = [
        ({VENDOR: "[hirte]\nLogLevel=ERROR\n"}, {}, [], "ERROR", f"{VENDOR}:2"),
        ({ADMIN: "[hirte]\n\nLogLevel=WARN\n"}, {}, [], "WARN", f"{ADMIN}:3"),
        (
            {f"{DROP_INS}/b.conf": "[hirte]\nLogLevel=DEBUG"},
            {},
            [],
            "DEBUG",
            f"{DROP_INS}/b.conf:2",
        ),
        ({}, {"HIRTE_LOG_LEVEL": "ERROR"}, [], "ERROR", "environment HIRTE_LOG_LEVEL"),
        ({"/my.conf": "[hirte]\nLogLevel=WARN"}, {}, ["-c", "/my.conf"], "WARN", "/my.conf:2"),
    ]
    for more_files, more_environ, more_argv, level, source in steps:
        files.update(more_files)
        environ.update(more_environ)
        argv += more_argv
        settings = manager(files, argv, environ)
        assert (settings.log_level, settings.sources["log_level"]) == (level, source)


def test_the_command_line_wins_over_the_file_it_names():
    settings = manager({"/my.conf": "[hirte]\nManagerPort=1"}, ["-c", "/my.conf", "-p", "2"])
    assert settings.manager_port == 2
    assert settings.sources["manager_port"] == "command line --port"


def test_drop_ins_come_in_byte_order_and_only_with_the_right_suffix():
    settings = manager(
        {
            f"{DROP_INS}/b.conf": "[hirte]\nManagerPort=3",
            f"{DROP_INS}/a.conf": "[hirte]\nManagerPort=2\nUseTCP=no",
            f"{DROP_INS}/B.conf": "[hirte]\nManagerPort=1\nUseTCP=yes",
            f"{DROP_INS}/c.conf.off": "[hirte]\nManagerPort=4",
        }
    )
    assert settings.manager_port == 3
    assert settings.use_tcp is False


def test_files_are_merged_option_by_option():
    settings = manager(
        {VENDOR: "[hirte]\nManagerPort=1\nUseTCP=no", ADMIN: "[hirte]\nManagerPort=2"}
    )
    assert (settings.manager_port, settings.use_tcp) == (2, False)


def test_a_later_file_replaces_a_list_and_does_not_extend_it():
    settings = manager(
        {VENDOR: "[hirte]\nAllowedNodeNames=a,b", ADMIN: "[hirte]\nAllowedNodeNames=c"}
    )
    assert settings.allowed_node_names == ("c",)


def test_an_empty_value_unsets_what_earlier_files_and_defaults_say():
    settings = manager(
        {
            VENDOR: "[hirte]\nAllowedNodeNames=a\nUseUDS=true\nNodeHeartbeatThreshold=9",
            ADMIN: "[hirte]\nAllowedNodeNames=\nUseUDS=\nNodeHeartbeatThreshold=\n"
            "ManagerPort=\nLogLevel=\nLogTarget=\nTCPKeepAliveCount=\n",
        }
    )
    assert settings.allowed_node_names == ()
    assert settings.use_uds is False
    assert settings.node_heartbeat_threshold == 0
    assert settings.manager_port == 0
    assert settings.log_level == "INFO"
    assert settings.log_target == "journald"
    assert settings.tcp_keep_alive_count == 0
    assert settings.warnings == []


def test_an_empty_environment_variable_does_not_count():
    files = {ADMIN: "[hirte]\nLogTarget=stderr"}
    assert manager(files, environ={"HIRTE_LOG_TARGET": ""}).log_target == "stderr"


def test_all_variables_of_the_environment():
    environ = {
        "HIRTE_LOG_LEVEL": "DEBUG",
        "HIRTE_LOG_TARGET": "stderr-full",
        "HIRTE_LOG_IS_QUIET": "on",
        "BC_LOG_LEVEL": "ERROR",
    }
    settings = agent(environ=environ)
    assert settings.log_level == "DEBUG"
    assert settings.log_target == "stderr-full"
    assert settings.log_is_quiet is True
    assert agent(environ=environ, dialect="compatible").log_level == "ERROR"


@pytest.mark.parametrize("text", ["true", "t", "yes", "y", "on", "TRUE", "On"])
def test_words_for_true(text):
    assert admin(f"[hirte]\nLogIsQuiet={text}").log_is_quiet is True


@pytest.mark.parametrize("text", ["false", "no", "off", "0", ""])
def test_words_for_false(text):
    settings = admin(f"[hirte]\nUseTCP={text}")
    assert settings.use_tcp is False
    assert settings.warnings == []


def test_another_word_is_false_and_warned_of():
    settings = admin("[hirte]\nUseTCP=1")
    assert settings.use_tcp is False
    assert settings.warnings == [
        f"{ADMIN}:2: UseTCP: '1' is none of true, t, yes, y, on, and so means false"
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("+7", 7), ("-1", -1), ("007", 7), ("9223372036854775807", 2**63 - 1)],
)
def test_numbers(text, value):
    assert admin(f"[hirte]\nHeartbeatInterval={text}").heartbeat_interval == value


@pytest.mark.parametrize(
    "text",
    ["x", "1x", "1 2", "0x10", "1_000", "+", "--1", "1.5", "٣", "9223372036854775808", "9" * 5000],
)
def test_no_numbers(text):
    with pytest.raises(ConfigError) as caught:
        admin(f"[hirte]\nHeartbeatInterval={text}")
    assert str(caught.value) == (f"{ADMIN}:2: HeartbeatInterval: {text!r} is not a whole number")


@pytest.mark.parametrize(
    ("key", "text", "low", "high"),
    [
        ("ManagerPort", "65536", 0, 65535),
        ("ManagerPort", "-1", 0, 65535),
        ("TCPKeepAliveTime", "32768", 0, 32767),
        ("TCPKeepAliveInterval", "-1", 0, 32767),
        ("TCPKeepAliveCount", "128", 0, 127),
    ],
)
def test_numbers_out_of_range(key, text, low, high):
    with pytest.raises(ConfigError) as caught:
        admin(f"[hirte]\n{key}={text}")
    assert str(caught.value) == f"{ADMIN}:2: {key}: {text!r} is not between {low} and {high}"


def test_numbers_at_the_ends_of_their_range():
    settings = admin("[hirte]\nManagerPort=65535\nTCPKeepAliveTime=32767\nTCPKeepAliveCount=127")
    assert settings.manager_port == 65535
    assert settings.tcp_keep_alive_time == 32767
    assert settings.tcp_keep_alive_count == 127


def test_the_log_level_is_spelled_exactly_and_otherwise_info():
    settings = manager({VENDOR: "[hirte]\nLogLevel=ERROR", ADMIN: "[hirte]\nLogLevel=debug"})
    assert settings.log_level == "INFO"
    assert settings.warnings == [
        f"{ADMIN}:2: LogLevel: 'debug' is none of INFO, DEBUG, WARN, ERROR, and so means INFO"
    ]


def test_the_log_target_has_no_case():
    assert admin("[hirte]\nLogTarget=StdErr-Full").log_target == "stderr-full"
    settings = admin("[hirte]\nLogTarget=syslog")
    assert settings.log_target == "journald"
    assert len(settings.warnings) == 1


def test_our_own_options_refuse_other_words():
    with pytest.raises(ConfigError, match=r"hirte\.conf:2: BusNames: 'all' is none of native"):
        admin("[hirte]\nBusNames=all")
    with pytest.raises(ConfigError, match="ManagerDialect"):
        agent({AGENT: "[hirte-agent]\nManagerDialect=bluechi"})
    assert admin("[hirte]\nBusNames=both").bus_names == "both"
    assert agent({AGENT: "[hirte-agent]\nManagerDialect=native"}).manager_dialect == "native"


@pytest.mark.parametrize("dialect", ["native", "compatible"])
def test_unset_choices_are_those_of_the_dialect(dialect):
    path, section = AgentSettings.files[dialect][1], AgentSettings.sections[dialect]
    text = f"[{section}]\nBusNames=\nManagerDialect=\nLogLevel=\n"
    settings = agent({path: text}, dialect=dialect)
    assert settings.bus_names == dialect
    assert settings.manager_dialect == ("auto" if dialect == "native" else "compatible")
    assert settings.log_level == "INFO"
    assert settings.warnings == []


def test_only_the_text_that_wins_is_interpreted():
    assert manager({VENDOR: "[hirte]\nManagerPort=x", ADMIN: "[hirte]\nManagerPort=1"})


def test_lists_are_trimmed_and_free_of_empty_and_repeated_items():
    settings = admin("[hirte]\nAllowedNodeNames= a , b,,a ,\n   c d,")
    assert settings.allowed_node_names == ("a", "b", "c d")


def test_the_last_of_the_same_option_in_one_file_wins():
    settings = admin("[hirte]\nManagerPort=1\nManagerPort=2")
    assert settings.manager_port == 2
    assert settings.warnings == [f"{ADMIN}:2: ManagerPort is overridden in line 3"]


@pytest.mark.parametrize(
    "text",
    [
        "[hirte]\nManagerPort=1\n[bluechi-controller]\nControllerPort=2",
        "[bluechi-controller]\nControllerPort=2\n[hirte]\nManagerPort=1",
        "[bluechi-controller]\nControllerPort=2\nManagerPort=1",
        "[bluechi-controller]\nManagerPort=1\nControllerPort=2",
        "[bluechi-controller]\nManagerPort=2\n[hirte]\nControllerPort=1",
    ],
)
def test_native_names_win_within_one_file(text):
    settings = admin(text)
    assert settings.manager_port == 1
    assert len(settings.warnings) == 1


def test_compatible_names_are_understood_and_a_later_file_wins_whatever_the_names():
    settings = agent(
        {
            AGENT: "[hirte-agent]\nManagerHost=old\nNodeName=n",
            f"{AGENT}.d/1.conf": "[bluechi-agent]\nControllerHost=new\nControllerPort=5\n"
            "ControllerAddress=tcp:host=::1,port=1\nControllerHeartbeatThreshold=7",
        }
    )
    assert settings.manager_host == "new"
    assert settings.manager_port == 5
    assert settings.manager_address == "tcp:host=::1,port=1"
    assert settings.manager_heartbeat_threshold == 7
    assert settings.node_name == "n"
    assert settings.warnings == []


def test_the_compatible_dialect_has_its_own_files_and_names():
    text = "[bluechi-controller]\nControllerPort=5\nManagerPort=6\n[hirte]\nManagerPort=7"
    settings = manager(
        {"/etc/bluechi/controller.conf": text, ADMIN: "[hirte]\nManagerPort=8"},
        dialect="compatible",
    )
    assert settings.manager_port == 5
    assert settings.bus_names == "compatible"
    assert settings.warnings == [
        "/etc/bluechi/controller.conf:4: unknown section [hirte]",
        "/etc/bluechi/controller.conf:3: unknown option 'ManagerPort' in [bluechi-controller]",
    ]


def test_unknown_names_are_warned_of_with_the_nearest_known_one():
    settings = admin("[hirt]\nManagerPort=1\n[hirte]\nmanagerport=1\nColour=red\n")
    assert settings.manager_port == 842
    assert settings.warnings == [
        f"{ADMIN}:1: unknown section [hirt], did you mean hirte?",
        f"{ADMIN}:4: unknown option 'managerport' in [hirte], did you mean ManagerPort?",
        f"{ADMIN}:5: unknown option 'Colour' in [hirte]",
    ]


def test_a_file_may_hold_the_options_of_both_programs():
    text = "[hirte]\nAllowedNodeNames=a\n[hirte-agent]\nNodeName=a\n[node a]\nAllowed=yes"
    assert admin(text).warnings == []
    assert agent({AGENT: text}).warnings == []


def test_an_option_before_any_section_is_ignored_with_a_warning():
    settings = admin("ManagerPort=1\n[hirte]\n")
    assert settings.manager_port == 842
    assert settings.warnings == [
        f"{ADMIN}:1: 'ManagerPort' stands before any section and is ignored"
    ]


@pytest.mark.parametrize("path", [VENDOR, ADMIN, f"{DROP_INS}/a.conf"])
def test_any_broken_file_stops_the_start(path):
    files = {path: "[hirte]\nnonsense", f"{DROP_INS}/z.conf": "[hirte]\n"}
    with pytest.raises(ConfigError) as caught:
        manager(files)
    assert str(caught.value) == f"{path}:2: neither name=value nor [section]: 'nonsense'"


@pytest.mark.parametrize("path", [VENDOR, ADMIN, DROP_INS, f"{DROP_INS}/a.conf"])
def test_any_unreadable_file_stops_the_start(path):
    with pytest.raises(ConfigError) as caught:
        manager({path: PermissionError(13, "Permission denied")})
    assert str(caught.value) == f"{path}: Permission denied"


def test_a_drop_in_that_points_to_nothing_stops_the_start():
    with pytest.raises(ConfigError, match=r"a\.conf: No such file"):
        manager({f"{DROP_INS}/a.conf": FileNotFoundError(2, "No such file or directory")})


def test_the_file_of_the_command_line_must_be_there():
    with pytest.raises(ConfigError) as caught:
        manager(argv=["-c", "/my.conf"])
    assert str(caught.value) == "/my.conf: No such file or directory"


def test_nodes_listed_come_first_then_allowed_ones_in_byte_order():
    settings = admin(
        "[node z]\nAllowed=true\n[node ä]\nAllowed=true\n[node b]\nAllowed=false\n"
        "AllowDependenciesOn= a , z,,\n[node Q]\nAllowed=true\nRequiredSelinuxContext=agent_t\n"
        "[hirte]\nAllowedNodeNames=m,b,a\n"
    )
    assert [node.name for node in settings.nodes] == ["m", "b", "a", "Q", "z", "ä"]
    by_name = {node.name: node for node in settings.nodes}
    assert by_name["b"].allow_dependencies_on == ("a", "z")
    assert by_name["b"].allowed is False
    assert by_name["Q"].required_selinux_context == "agent_t"
    assert by_name["m"].required_selinux_context == ""
    assert settings.warnings == []


def test_node_sections_are_merged_over_files():
    settings = manager(
        {
            VENDOR: "[node a]\nAllowed=true\nAllowDependenciesOn=b",
            f"{DROP_INS}/1.conf": "[node a]\nAllowDependenciesOn=c\n[node b]\nAllowed=yes",
            f"{DROP_INS}/2.conf": "[node b]\nAllowed=",
        }
    )
    (node,) = settings.nodes
    assert node.name == "a"
    assert node.allow_dependencies_on == ("c",)
    assert node.sources["allow_dependencies_on"] == f"{DROP_INS}/1.conf:2"


def test_a_node_section_that_allows_nothing_is_warned_of():
    settings = admin("[node a]\nAllowDependenciesOn=b\n[node c]\nAllowed=no\n")
    assert settings.nodes == ()
    assert settings.warnings == [
        f"{ADMIN}:2: [node a] is ignored: the node is neither in AllowedNodeNames "
        "nor has Allowed=true"
    ]


def test_a_node_section_of_nothing_but_a_typing_error_is_warned_of():
    settings = admin("[hirte]\nAllowedNodeNames=a\n[node b]\nAlowed=yes\n")
    assert [node.name for node in settings.nodes] == ["a"]
    assert settings.warnings == [
        f"{ADMIN}:4: unknown option 'Alowed' in [node b], did you mean Allowed?",
        "[node b] is ignored: the node is neither in AllowedNodeNames nor has Allowed=true",
    ]


def test_node_names_keep_their_blanks_and_are_not_empty():
    settings = admin("[node  a b ]\nAllowed=y\n[node ]\nAllowed=y")
    assert [node.name for node in settings.nodes] == [" a b "]


def test_unknown_options_of_nodes_are_warned_of():
    assert admin("[node a]\nAllowed=y\nAlowed=y").warnings == [
        f"{ADMIN}:3: unknown option 'Alowed' in [node a], did you mean Allowed?"
    ]


def test_the_same_option_of_two_nodes_is_no_repetition():
    settings = admin("[node a]\nAllowed=y\n[node b]\nAllowed=y\n[node a]\nAllowDependenciesOn=b")
    assert [node.allow_dependencies_on for node in settings.nodes] == [("b",), ()]
    assert settings.warnings == []


def test_an_agent_needs_a_name():
    with pytest.raises(ConfigError) as caught:
        agent({AGENT: "[hirte-agent]\nNodeName="})
    assert str(caught.value) == f"{AGENT}:2: the node has no name"
    assert agent({AGENT: "[hirte-agent]\nNodeName="}, ["-n", "n"]).node_name == "n"


def test_an_agent_needs_an_address():
    text = "[hirte-agent]\nManagerHost="
    with pytest.raises(ConfigError) as caught:
        agent({AGENT: text})
    assert str(caught.value) == f"{AGENT}:2: the manager has no address"
    assert agent({AGENT: text}, ["-a", "unix:path=/x"]).manager_address == "unix:path=/x"
    assert agent({AGENT: text}, ["-H", "h"]).manager_host == "h"


def test_this_host_is_asked_by_default(tmp_path):
    path = tmp_path / "my.conf"
    path.write_text("[hirte-agent]\nManagerPort=4321\n")
    settings = load(AgentSettings, ["-c", str(path)], {})
    assert settings.manager_port == 4321
    assert settings.node_name
    with pytest.raises(ConfigError, match="Is a directory"):
        load(AgentSettings, ["-c", str(tmp_path)], {})


def test_a_path_must_not_depend_on_where_the_manager_starts():
    assert admin("[hirte]\nMetricsSocket=/run/m").metrics_socket == "/run/m"
    assert admin("[hirte]\nMetricsSocket=").metrics_socket == ""
    with pytest.raises(ConfigError) as caught:
        admin("[hirte]\nMetricsSocket=run/m")
    assert str(caught.value) == f"{ADMIN}:2: MetricsSocket is no absolute path"
