"""Settings from their layers: which one wins, where a value came from, and a refusal with the line for every fault."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ropeteam import config
from ropeteam.config import keys
from ropeteam.config.lines import line_of
from ropeteam.core.settings import AgentSettings, CheckCommand, Settings
from ropeteam.errors import BadInput


def load(
    own: str | bytes | None = None,
    *,
    project: str | None = None,
    include: str | bytes | None = None,
    user: Path | None = None,
    env: Mapping[str, str] | None = None,
    sets: Sequence[str] = (),
    flags: Mapping[str, object] | None = None,
) -> config.Loaded:
    files = {"ropeteam.toml": own, "pyproject.toml": project, ".worktreeinclude": include}

    def read(path: str) -> bytes | None:
        content = files[path]
        return content.encode() if isinstance(content, str) else content

    return config.load(top=Path("/repository"), read=read, user_file=user, env=env or {}, sets=sets, flags=flags or {})


def refused(own: str | bytes | None = None, **more: object) -> BadInput:
    with pytest.raises(BadInput) as caught:
        load(own, **more)  # type: ignore[arg-type]
    return caught.value


def test_without_anything_the_defaults_hold() -> None:
    loaded = load()
    assert loaded.settings == Settings()
    assert set(loaded.sources.values()) == {"built-in default"}
    assert set(loaded.sources) == set(keys.names())


def test_a_worktreeinclude_adds_to_what_is_copied() -> None:
    text = "# secrets of development\n.env\r\n\n!.env.production\n"
    loaded = load(include=text, sets=['trees.copy=["vendor"]'])
    assert loaded.settings.trees.copy == ("vendor", ".env", "!.env.production")
    assert loaded.sources["trees.copy"].endswith(", and .worktreeinclude at the base commit")
    assert load(include="# nothing\n").settings == Settings()
    error = refused(include=b".env\n\xff\n")
    assert (error.message, error.where) == (".worktreeinclude is not UTF-8.", ".worktreeinclude:2")


def test_each_layer_wins_over_the_one_before(tmp_path: Path) -> None:
    user = tmp_path / "ropeteam.toml"
    user.write_text("workers = 1\n")
    layers = {
        "user": {"user": user},
        "repository": {"own": "\nworkers = 2\n"},
        "environment": {"env": {"ROPETEAM_WORKERS": "3"}},
        "set": {"sets": ["workers=4"]},
        "flag": {"flags": {"workers": 5}},
    }
    so_far: dict[str, object] = {}
    sources = []
    for expected, (origin, layer) in enumerate(layers.items(), start=1):
        so_far |= layer
        loaded = load(**so_far)  # type: ignore[arg-type]
        assert loaded.settings.workers == expected
        assert loaded.origins["workers"] == origin
        sources.append(loaded.sources["workers"])
    assert sources == [
        f"your settings {user}, line 1",
        "ropeteam.toml at the base commit, line 2",
        "environment variable ROPETEAM_WORKERS",
        "--set workers",
        "flag --workers",
    ]


def test_without_a_repository_its_layer_is_left_out() -> None:
    def read(path: str) -> bytes:
        raise AssertionError(path)

    loaded = config.load(top=None, read=read, user_file=None, env={}, sets=(), flags={})
    assert loaded.settings == Settings()


@pytest.mark.parametrize(
    "text",
    [
        'agent = "command"\n[agents.command]\nargv = ["./x", "--y"]\n',
        '[agent]\nname = "command"\n[agent.command]\nargv = ["./x", "--y"]\n',
        'agent.name = "command"\nagent.command.argv = ["./x", "--y"]\n',
    ],
)
def test_an_agent_can_be_set_up_in_either_spelling(text: str) -> None:
    loaded = load(text)
    assert loaded.settings.agent == "command"
    assert loaded.settings.agents == {"command": AgentSettings(argv=("./x", "--y"))}
    assert load(sets=['agent.command.argv=["./x", "--y"]', "agent=command"]).settings == loaded.settings


def test_tables_of_variables_are_merged_name_by_name(tmp_path: Path) -> None:
    user = tmp_path / "ropeteam.toml"
    user.write_text('[trees.env]\nA = "user"\nB = "user"\n')
    loaded = load(
        '[trees]\nenv = {B = "repository", C = "repository"}\n',
        user=user,
        env={"ROPETEAM_TREES_ENV_lower": "4", "ROPETEAM_AGENT_CLAUDE_ENV_X": "true"},
        sets=["trees.env.C=set", 'trees.env={D="set"}'],
    )
    assert loaded.settings.trees.env == {"A": "user", "B": "repository", "C": "set", "D": "set", "lower": "4"}
    assert loaded.settings.agents["claude"].env == {"X": "true"}
    assert loaded.sources["trees.env.B"] == "ropeteam.toml at the base commit, line 2"


def test_commands_for_lock_files_are_merged_name_by_name() -> None:
    loaded = load(
        '[merge.locks]\n"go.sum" = []\n"uv.lock" = ["uv", "lock"]\n',
        sets=['merge.locks.uv.lock=["uv", "lock", "--offline"]', 'merge.union=["*.list"]'],
    )
    assert loaded.settings.merge.locks == {"go.sum": (), "uv.lock": ("uv", "lock", "--offline")}
    assert loaded.settings.merge.union == ("*.list",)


def test_settings_in_pyproject() -> None:
    text = '[project]\nname = "x"\n\n[tool.ropeteam]\nland = "no"\n\n[tool.ropeteam.limits]\ntries = 3\n'
    loaded = load(project=text)
    assert (loaded.settings.land, loaded.settings.limits.tries) == ("no", 3)
    assert loaded.sources["limits.tries"] == "[tool.ropeteam] in pyproject.toml at the base commit, line 8"


@pytest.mark.parametrize("text", ['[project]\nname = "x"\n', "this is [not toml", "[tool.other]\nx = 1\n"])
def test_a_pyproject_without_settings_is_not_our_concern(text: str) -> None:
    assert load("workers = 2\n", project=text).settings.workers == 2


def test_settings_in_both_files_are_refused() -> None:
    fault = refused("workers = 2\n", project="\n[tool.ropeteam]\nworkers = 3\n")
    assert fault.message == "Both ropeteam.toml and [tool.ropeteam] in pyproject.toml have settings."
    assert fault.where == "pyproject.toml:2"


def test_checks_are_shell_lines_or_tables() -> None:
    text = """
[checks]
commands = [
  "pytest -q | tee log",
  {name = "lint", argv = ["ruff", "check"], cwd = "app", format = "exit"},
  {argv = "make test", env = {CI = "1"}},
]
"""
    assert load(text).settings.checks.commands == (
        CheckCommand(name="pytest -q | tee log", argv=("sh", "-c", "pytest -q | tee log")),
        CheckCommand(name="lint", argv=("ruff", "check"), cwd="app"),
        CheckCommand(name="make test", argv=("sh", "-c", "make test"), env={"CI": "1"}),
    )
    assert load("[[checks.commands]]\nargv = ['x']\n").settings.checks.commands == (
        CheckCommand(name="x", argv=("x",)),
    )
    assert load("checks.commands = []\n").settings.checks.commands == ()
    assert load().settings.checks.commands is None
    (long,) = load(sets=[f'checks.commands=["echo {"x" * 100}"]']).settings.checks.commands or ()
    assert long.name == "echo " + "x" * 54 + "…"
    assert long.argv[2] == "echo " + "x" * 100


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("checks.commands = 'pytest'", "cannot be 'pytest'"),
        ("checks.commands = [3]", "number 1, cannot be 3"),
        ("checks.commands = ['a', '  ']", "number 2, has no command"),
        ("checks.commands = [{name = 'x'}]", "number 1, has no command"),
        ("checks.commands = [{argv = []}]", "has no command"),
        ("checks.commands = [{argv = ['x', 1]}]", "argv cannot be"),
        ("checks.commands = [{argv = ['x'], comand = 1}]", "no field 'comand'"),
        ("checks.commands = [{argv = ['x'], found = 'y'}]", "no field 'found'"),
        ("checks.commands = [{argv = ['x'], cwd = '../y'}]", "is not a folder in the repository"),
        ("checks.commands = [{argv = ['x'], cwd = '/y'}]", "is not a folder in the repository"),
        ("checks.commands = [{argv = ['x'], format = 'xml'}]", "is not right"),
        ("checks.commands = ['a', 'a']", "two checks named 'a'"),
    ],
)
def test_checks_that_cannot_be_are_refused(text: str, words: str) -> None:
    fault = refused(f"# first line\n{text}\n")
    assert words in fault.message
    assert fault.where == "ropeteam.toml:2"
    assert fault.hint


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("workres = 3", 1, "There is no setting 'workres'.", "Did you mean 'workers'?"),
        ("\n\n[limits]\natempt_seconds = 3", 4, "no setting 'limits.atempt_seconds'", "'limits.attempt_seconds'"),
        ("attempt_seconds = 3", 1, "no setting 'attempt_seconds'", "Did you mean 'limits.attempt_seconds'?"),
        ("[gates]\nmin_speedup = 3", 1, "no setting 'gates'", "There is: agent, land, workers"),
        ("[agents.cluade]\nmodel = 'x'", 1, "There is no agent 'cluade'.", "Did you mean 'claude'?"),
        ("[agents.claude]\nmodle = 'x'", 2, "no setting 'agent.claude.modle'", "'agent.claude.model'"),
        (
            "agent = 'cluade'",
            1,
            "There is no agent 'cluade'.",
            "Did you mean 'claude'? Agents: acp, aider",
        ),
        ("agent = 3", 1, "agent cannot be 3.", "Allowed: a string."),
        ("limits = 3", 1, "limits is a table of settings.", "limits.tries"),
        ("agents.claude = 3", 1, "agent.claude is a table of settings.", "argv"),
        ("workers = '3'", 1, "workers cannot be '3'.", "Allowed: a whole number from 1 to 64."),
        ("workers = 3.5", 1, "workers cannot be 3.5.", "a whole number"),
        ("workers = true", 1, "workers cannot be True.", "a whole number"),
        ("workers = 0", 1, "workers cannot be 0.", "from 1 to 64"),
        ("workers = 65", 1, "workers cannot be 65.", "from 1 to 64"),
        ("limits.tries = 11", 1, "limits.tries cannot be 11.", "from 1 to 10"),
        ("limits.context_share = 1.01", 1, "limits.context_share cannot be 1.01.", "a number from 0 to 1"),
        ("limits.attempt_seconds = 0", 1, "cannot be 0.", "a number above 0"),
        ("limits.attempt_seconds = -1", 1, "cannot be -1.", "a number above 0"),
        ("limits.run_seconds = nan", 1, "cannot be nan.", "a number above 0"),
        ("limits.stall_seconds = inf", 1, "cannot be inf.", "a number above 0"),
        (f"limits.budget_usd = 1{'0' * 400}", 1, "limits.budget_usd cannot be 1", "a number above 0"),
        ("limits.budget_tokens = 0", 1, "cannot be 0.", "a whole number 1 or more"),
        ("land = 'yess'", 1, "land cannot be 'yess'.", 'Did you mean \'yes\'? Allowed: one of "ask", "yes", "no".'),
        ("sandbox.mode = true", 1, "sandbox.mode cannot be True.", '"auto", "on", "off"'),
        ("sandbox.network = 'yes'", 1, "sandbox.network cannot be 'yes'.", "true or false"),
        ("checks.setup = 'npm ci'", 1, "checks.setup cannot be 'npm ci'.", "a list of strings"),
        ("trees.copy = ['../x']", 1, "`..` leads out", "inside it"),
        ("trees.copy = [' ']", 1, "an empty entry", "patterns"),
        ("[trees]\nenv = 3", 2, "trees.env cannot be 3.", "a table of strings"),
        ("[trees.env]\nA = 3", 2, "trees.env.A cannot be 3.", "Allowed: a string."),
        ('[trees.env]\n"A=B" = "x"', 2, "'A=B' cannot name a variable.", "without ="),
        ('[agents.command]\nargv = ["a\\u0000"]', 2, "NUL", "a list of strings"),
        ("merge.union = ['']", 1, "an empty entry", "patterns"),
        ("[merge]\nlocks = ['x']", 2, "merge.locks cannot be ['x'].", "a table of lists of strings"),
        ("[merge.locks]\n'x.lock' = 'make x'", 2, "merge.locks.x.lock cannot be 'make x'.", "a list of strings"),
        ("[merge.locks]\n'a/x.lock' = ['make']", 2, "'a/x.lock' is a path.", "the name of a lock file"),
        ("a =", 1, "is not valid TOML", "Correct it."),
        ("workers = 1\nworkers = 2", 2, "is not valid TOML", "Correct it."),
        ('x = """', 1, "is not valid TOML", "Correct it."),
    ],
)
def test_faults_in_a_file(text: str, line: int, message: str, hint: str) -> None:
    fault = refused(text)
    assert message in fault.message
    assert hint in fault.hint
    assert fault.where == f"ropeteam.toml:{line}"
    assert "commit the correction" in fault.hint


def test_a_file_that_is_not_utf_8_is_refused_with_its_line() -> None:
    fault = refused("workers = 1\n# café\n".encode("cp1252"))
    assert (fault.message, fault.where) == ("ropeteam.toml is not UTF-8.", "ropeteam.toml:2")


def test_a_file_nested_beyond_reason_is_refused() -> None:
    fault = refused("x = " + "[" * 100_000)
    assert fault.message == "ropeteam.toml is nested too deeply."


def test_windows_line_ends_and_a_byte_order_mark_are_read() -> None:
    assert load(b"\xef\xbb\xbfworkers = 2\r\nland = 'no'\r\n").settings.workers == 2


def test_the_users_file(tmp_path: Path) -> None:
    missing = tmp_path / "ropeteam.toml"
    assert load(user=missing).settings == Settings()
    missing.write_text("\nworkers = 99\n")
    fault = refused(user=missing)
    assert fault.where == f"{missing}:2"
    assert "commit" not in fault.hint
    with pytest.raises(BadInput, match="Your settings cannot be read"):
        load(user=tmp_path)


def test_where_the_users_file_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    path = config.user_file()
    assert path.is_relative_to(tmp_path)
    assert (path.parent.name, path.name) == ("ropeteam", "ropeteam.toml")
    assert not path.exists()


# ---- environment, --set, flags


@pytest.mark.parametrize(
    ("typed", "name", "value"),
    [
        ("agent=claude", "agent", "claude"),
        ('agent="claude"', "agent", "claude"),
        (" land = no ", "land", "no"),
        ("workers=8", "workers", 8),
        ("limits.attempt_seconds=60", "limits.attempt_seconds", 60.0),
        ("limits.budget_usd=none", "limits.budget_usd", None),
        ("agent.claude.model=claude-opus-4.1", "agent.claude.model", "claude-opus-4.1"),
        ("agent.claude.model=4", "agent.claude.model", "4"),
        ("agent.claude.model=2026-01-01", "agent.claude.model", "2026-01-01"),
        ("agents.claude.model=x", "agent.claude.model", "x"),
        ("agent.claude.env.A=b=c", "agent.claude.env.A", "b=c"),
        ("checks.setup=['npm ci']", "checks.setup", ("npm ci",)),
        ("sandbox.network=false", "sandbox.network", False),
        ("trees.folder=/a b/c", "trees.folder", "/a b/c"),
        ("limits={tries=3}", "limits.tries", 3),
        ("agent={name='scripted',scripted={time_scale=60}}", "agent.scripted.time_scale", 60.0),
    ],
)
def test_values_as_they_are_typed(typed: str, name: str, value: object) -> None:
    described = {row[0]: row[1:] for row in config.describe(load(sets=[typed]))}
    assert described[name][0] == value
    assert described[name][1].startswith("--set ")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("workers", "has no key and value"),
        ("=3", "has no key and value"),
        ("workers=", "workers cannot be ''"),
        ("workers=x", "workers cannot be 'x'"),
        ("workers=1\nland='no'", "workers cannot be"),
        ("limits.workers=1", "no setting 'limits.workers'"),
        ("limits=3", "limits is a table"),
        (".=1", "no setting"),
        ("agent.=1", "no agent ''"),
        ("agent=cursor", "no agent 'cursor'"),
        ("agent.claude=1", "agent.claude is a table"),
        ("agent.command.argv=./x", "agent.command.argv cannot be './x'"),
    ],
)
def test_values_that_cannot_be_typed(typed: str, words: str) -> None:
    fault = refused(sets=[typed])
    assert words in fault.message
    assert fault.where == "--set"


def test_the_last_set_of_two_counts() -> None:
    assert load(sets=["workers=2", "workers=3"]).settings.workers == 3


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"ROPETEAM_LIMITS_ATTEMPT_SECONDS": "60"}, Settings(limits=Settings().limits.__class__(attempt_seconds=60))),
        ({"ROPETEAM_AGENT": "command"}, Settings(agent="command")),
        ({"ROPETEAM_AGENT_COMMAND_ARGV": '["x"]'}, Settings(agents={"command": AgentSettings(argv=("x",))})),
        ({"ROPETEAM_LAND": ""}, Settings()),
        ({"ROPETEAM_TASK": "/x", "ROPETEAM_GIT": "/git", "ROPETEAM_TEST_AGENTS": "1", "WORKERS": "x"}, Settings()),
        ({"ROPETEAM_SOMEBODYS_OWN": "x"}, Settings()),
    ],
)
def test_environment(env: dict[str, str], expected: Settings) -> None:
    assert load(env=env).settings == expected


@pytest.mark.parametrize(
    ("env", "message", "hint"),
    [
        ({"ROPETEAM_WORKER": "3"}, "ROPETEAM_WORKER is not a setting.", "'ROPETEAM_WORKERS'"),
        ({"ROPETEAM_LIMITS_ATEMPT_SECONDS": "3"}, "is not a setting.", "'ROPETEAM_LIMITS_ATTEMPT_SECONDS'"),
        ({"ROPETEAM_WORKERS": "many"}, "workers cannot be 'many'.", "from 1 to 64"),
    ],
)
def test_environment_faults(env: dict[str, str], message: str, hint: str) -> None:
    fault = refused(env=env)
    assert message in fault.message
    assert hint in fault.hint
    assert fault.where in env


def test_flags_that_were_not_given_change_nothing() -> None:
    loaded = load(flags={"agent": None, "limits.budget_usd": 2, "limits.budget_tokens": None})
    assert loaded.settings.limits.budget_usd == 2.0
    assert loaded.sources["limits.budget_usd"] == "flag --budget-usd"
    assert loaded.origins["agent"] == "default"
    assert refused(flags={"workers": 0}).where == "--workers"


# ---- what is shown


def test_every_setting_is_described_and_secrets_are_not() -> None:
    loaded = load(
        "[agents.claude.env]\nANTHROPIC_API_KEY = 'sk'\nREGION = 'eu'\n", sets=["agent.command.env.MY_TOKEN=sk"]
    )
    rows = config.describe(loaded)
    names = [row[0] for row in rows]
    assert set(keys.names()) <= set(names)
    assert len(names) == len(set(names))
    values = {row[0]: row[1] for row in rows}
    assert values["agent.claude.env.REGION"] == "eu"
    assert values["trees.env"] == {}
    assert "'sk'" not in repr(rows)
    assert loaded.settings.agents["claude"].env["ANTHROPIC_API_KEY"] == "sk"
    assert msgspec.json.encode(rows)


def test_what_a_repository_would_run_or_open_needs_consent() -> None:
    text = """
workers = 2
[checks]
commands = ["make test"]
setup = []
[sandbox]
mode = "off"
[trees]
pass_env = ["AWS_SECRET_ACCESS_KEY"]
[agents.command]
argv = ["./x"]
model = "m"
"""
    names = {row[0] for row in config.needs_consent(load(text))}
    assert names == {"checks.commands", "sandbox.mode", "trees.pass_env", "agent.command.argv"}
    assert config.needs_consent(load(sets=["checks.setup=['x']"])) == []


# ---- lines and the schema


def test_lines_of_keys() -> None:
    text = 'a = 1\nb.c = 2\n[t]\n"q r" = 3\nlist = [\n  "a = 1",\n]\n[t.u]\nv = 1\n[[w]]\nx = 1\n'
    places = {("a",): 1, ("b", "c"): 2, ("t", "q r"): 4, ("t", "list"): 5, ("t", "u", "v"): 9, ("w",): 10, ("no",): 0}
    assert {parts: line_of(text, parts) for parts in places} == places
    assert line_of(text, ("t", "u", "missing")) == 8
    assert line_of("limits = { tries = 99 }", ("limits", "tries")) == 1


def test_the_schema_knows_every_setting_and_judges_as_loading_does() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = config.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    texts = {
        "workers = 3": True,
        "workers = 65": False,
        "limits.attempt_seconds = 0": False,
        "limits.context_share = 1.5": False,
        "limits.budget_usd = 'none'": True,
        "limits.budget_usd = 0": False,
        "nonsense = 1": False,
        "agent = 'claude'": True,
        "[agent]\nname = 'command'\ncommand.argv = ['x']": True,
        "[agents.cluade]\nmodel = 'x'": False,
        "[agents.scripted]\ntime_scale = 0": False,
        "[agent]\ninstead = ['command']\n[agent.for]\ncontract = 'claude:opus'\nlayers.views = 'command'": True,
        "checks.commands = ['a', {argv = 'b'}, {argv = ['c'], format = 'tap'}]": True,
        "checks.commands = [{name = 'x'}]": False,
        "land = 'maybe'": False,
    }
    for text, good in texts.items():
        assert validator.is_valid(tomllib.loads(text)) is good, text
        if good:
            load(text)
        else:
            refused(text)
    for name in keys.names():
        *group, last = name.split(".")
        if group[:1] == ["agent"]:
            beside = schema["properties"]["agent"]["anyOf"][1]["properties"]
            owner = schema["$defs"]["AgentFor"] if group[1:] else {"properties": beside}
        else:
            owner = schema["$defs"][group[0].capitalize()] if group else schema
        assert last in owner["properties"]


# ---- whatever it is

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from([*keys.names(), "agent.claude.argv", "agents.command.env", "trees.env.X", "limits"]) | st.text(
    min_size=1, max_size=12
)


@settings(deadline=None)
@given(NAMES, VALUES)
def test_any_value_is_taken_within_its_range_or_refused(name: str, value: object) -> None:
    try:
        loaded = load(flags={name: value})
    except BadInput:
        return
    for setting, bounds in keys.RANGES.items():
        if "*" not in setting:
            group, _, last = setting.rpartition(".")
            found = getattr(getattr(loaded.settings, group) if group else loaded.settings, last)
            assert found is None or bounds.holds(found)
    assert msgspec.json.decode(msgspec.json.encode(loaded.settings), type=Settings) == loaded.settings
    assert len(config.describe(loaded)) >= len(keys.names()) - 1


@settings(deadline=None)
@given(NAMES, st.text(max_size=12))
def test_any_text_on_the_command_line_is_taken_or_refused(name: str, text: str) -> None:
    try:
        load(sets=[f"{name}={text}"])
    except BadInput as fault:
        where, message = fault.where, fault.message
    else:
        where, message = "--set", "taken"
    assert where == "--set"
    assert message


@settings(deadline=None)
@given(st.text(max_size=60) | st.binary(max_size=60))
def test_any_file_is_read_or_refused(content: str | bytes) -> None:
    data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    try:
        sources = load(data).sources
    except BadInput as fault:
        sources = {"fault": fault.where}
    assert sources
