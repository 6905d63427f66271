"""`ropeteam install-skill`: what is written where, and that nothing of the user's is lost."""

from __future__ import annotations

import io
import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ropeteam.cli import skill_files, skill_places, skills
from ropeteam.cli.skill_files import Step, Written
from ropeteam.errors import BadInput, ConsentNeeded, UserError

AGENTS = list(skill_places.PLACES)
SKILLS = {
    "claude": ".claude/skills",
    "codex": ".agents/skills",
    "gemini": ".gemini/skills",
    "opencode": ".config/opencode/skills",
}


def install(*args: str) -> Result:
    done = CliRunner().invoke(skills.install_skill, args, catch_exceptions=True)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def files(home: Path) -> dict[str, bytes]:
    return {p.relative_to(home).as_posix(): p.read_bytes() for p in home.rglob("*") if p.is_file()}


@pytest.mark.parametrize("agent", AGENTS)
def test_installed_again_it_is_the_same_and_removed_nothing_is_left(users_home: Path, agent: str) -> None:
    before = files(users_home)

    first = install("--for", agent, "--yes")
    after = files(users_home)
    again = install("--for", agent, "--yes")

    skill = users_home / SKILLS[agent] / "2-code" / "SKILL.md"
    assert skill.read_text() == (skill_places.source() / "skills/2-code/SKILL.md").read_text()
    assert (skill.parent / "references" / "one-agent.md").exists()
    assert str(skill) in first.output
    assert "Nothing to do." in again.output
    assert files(users_home) == after
    install("--for", agent, "--remove", "--yes")
    assert files(users_home) == before
    assert not (users_home / SKILLS[agent]).exists()
    assert "Nothing to do." in install("--for", agent, "--remove", "--dry-run").output


@pytest.mark.parametrize("agent", AGENTS)
def test_a_dry_run_writes_nothing(users_home: Path, agent: str) -> None:
    before = files(users_home)
    done = install("--for", agent, "--dry-run")
    assert files(users_home) == before
    assert f"+ {users_home / SKILLS[agent]}/2-code/SKILL.md" in done.output


def test_nobody_who_can_agree_is_a_refusal(users_home: Path) -> None:
    before = files(users_home)
    with pytest.raises(ConsentNeeded):
        install("--for", "claude")
    assert files(users_home) == before


def test_a_skill_of_the_users_own_is_not_overwritten(users_home: Path) -> None:
    own = users_home / ".claude/skills/2-code/SKILL.md"
    own.parent.mkdir(parents=True)
    own.write_text("mine")

    with pytest.raises(UserError, match="not ours") as raised:
        install("--for", "claude", "--yes")

    assert "--force" in raised.value.hint
    assert [p for p in files(users_home) if p != ".gitconfig"] == [".claude/skills/2-code/SKILL.md"]
    install("--for", "claude", "--yes", "--force")
    assert own.with_name("SKILL.md.bak").read_text() == "mine"
    assert own.read_text().startswith("---\nname: 2-code")


def test_what_the_user_changed_is_neither_overwritten_nor_removed(users_home: Path) -> None:
    install("--for", "codex", "--yes")
    skill = users_home / ".agents/skills/2-code/SKILL.md"
    skill.write_text(skill.read_text() + "\nAlways in French.\n")
    changed = skill.read_bytes()

    with pytest.raises(UserError, match="changed by you"):
        install("--for", "codex", "--yes")
    done = install("--for", "codex", "--remove", "--yes")

    assert skill.read_bytes() == changed
    assert "stays: you changed it" in done.output
    left = [p for p in files(users_home) if p.startswith(".agents")]
    assert sorted(left) == [".agents/skills/2-code/.ropeteam.json", ".agents/skills/2-code/SKILL.md"]


def test_an_older_version_of_ours_is_brought_up_to_date(tmp_path: Path) -> None:
    old, new = b"old", b"new"
    (tmp_path / "a.md").write_bytes(old)
    (tmp_path / "gone.md").write_bytes(old)
    before = Written(files={"a.md": skill_files.digest(old), "gone.md": skill_files.digest(old)})

    steps = skill_files.to_install(tmp_path, {"a.md": new}, before)

    assert steps == [Step("a.md", "changed", new), Step("gone.md", "gone")]
    assert skill_files.carry_out(tmp_path, steps) == []
    assert files(tmp_path) == {"a.md": new}


def test_for_a_project_it_goes_into_the_repository(users_home: Path, tmp_path: Path) -> None:
    from repositories import make_repo

    repo = make_repo(tmp_path / "repo", {"a.txt": "a"})
    install("--for", "claude", "--project", "--repo", str(repo), "--yes")
    assert (repo / ".claude/skills/2-code/SKILL.md").exists()
    assert [p for p in files(users_home) if p != ".gitconfig"] == []


# ---- the MCP server in settings that hold other things


@pytest.mark.parametrize("agent", ["codex", "gemini", "opencode"])
def test_the_server_is_added_beside_what_is_there_and_taken_out_again(users_home: Path, agent: str) -> None:
    pytest.importorskip("mcp")
    servers = skill_places.PLACES[agent].servers
    assert servers is not None
    path = users_home / servers.user
    path.parent.mkdir(parents=True)
    own = {
        "json": json.dumps({"theme": "dark", servers.key: {"other": {"command": "x"}}}, indent=2) + "\n",
        "toml": f'# mine\nmodel = "o"\n\n[{servers.key}.other]\ncommand = "x"\n',
    }[servers.form]
    path.write_text(own)

    install("--for", agent, "--yes")

    read = json.loads if servers.form == "json" else tomllib.loads
    known = read(path.read_text())[servers.key]
    assert list(known) == ["other", "ropeteam"]
    assert known["other"] == {"command": "x"}
    install("--for", agent, "--yes")
    install("--for", agent, "--remove", "--yes")
    assert path.read_text() == own


@pytest.mark.parametrize(
    ("agent", "text", "said"),
    [
        ("gemini", '{"mcpServers": {"ropeteam": {"command": "other"}}}', "starts something else"),
        ("gemini", '{ // a comment\n "theme": "dark" }', "cannot be read"),
        ("opencode", '{"mcp": 3}', "left alone"),
        ("codex", "mcp_servers = ", "cannot be read"),
        ("codex", '[mcp_servers.ropeteam]\ncommand = "other"\n', "starts something else"),
    ],
)
def test_settings_that_are_not_understood_stay_as_they_are(users_home: Path, agent: str, text: str, said: str) -> None:
    pytest.importorskip("mcp")
    servers = skill_places.PLACES[agent].servers
    assert servers is not None
    path = users_home / servers.user
    path.parent.mkdir(parents=True)
    path.write_text(text)

    done = install("--for", agent, "--yes")

    assert path.read_text() == text
    assert said in done.output
    assert "By hand: " in done.output
    assert (users_home / SKILLS[agent] / "2-code" / "SKILL.md").exists()


def test_a_server_that_starts_elsewhere_now_takes_the_place_of_ours(users_home: Path) -> None:
    servers = skill_places.PLACES["codex"].servers
    assert servers is not None
    old, new = servers.entry(("/old/ropeteam", "mcp")), servers.entry(("ropeteam", "mcp"))
    text = skill_files.with_server('model = "o"\n', servers, old)

    assert skill_files.with_server(text, servers, new, old) == skill_files.with_server('model = "o"\n', servers, new)
    with pytest.raises(BadInput):
        skill_files.with_server(text, servers, new)


# ---- what is not ours


def test_settings_that_hold_keys_are_read_by_nobody_else_afterwards(users_home: Path) -> None:
    pytest.importorskip("mcp")
    path = users_home / ".gemini/settings.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"apiKey": "dummy"}\n')
    path.chmod(0o600)
    skill = users_home / ".gemini/skills/2-code/SKILL.md"
    skill.parent.mkdir(parents=True)
    skill.write_text("mine")
    skill.chmod(0o600)

    install("--for", "gemini", "--yes", "--force")

    assert "ropeteam" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert skill.with_name("SKILL.md.bak").stat().st_mode & 0o777 == 0o600
    install("--for", "gemini", "--remove", "--yes")
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in path.parent.iterdir() if p.name.startswith(".settings")] == []


@pytest.mark.parametrize("named", ["../precious.txt", "{home}/precious.txt", "a/../../precious.txt"])
def test_a_list_in_somebody_elses_repository_removes_nothing_outside(
    users_home: Path, tmp_path: Path, named: str
) -> None:
    from repositories import make_repo

    repo = make_repo(users_home / "repo", {"a.txt": "a"})
    precious = users_home / "precious.txt"
    precious.write_text("mine")
    listed = repo / ".claude/skills/2-code/.ropeteam.json"
    listed.parent.mkdir(parents=True)
    path = named.format(home=users_home)
    listed.write_text(json.dumps({"files": {path: skill_files.digest(b"mine")}}))

    for more in ((), ("--remove",)):
        with pytest.raises(BadInput, match="no place of ours"):
            install("--for", "claude", "--project", "--repo", str(repo), "--yes", *more)
    assert precious.read_text() == "mine"


def test_a_link_in_somebody_elses_repository_does_not_lead_us_out_of_it(users_home: Path) -> None:
    from repositories import make_repo

    repo = make_repo(users_home / "repo", {"a.txt": "a"})
    outside = users_home / "outside"
    outside.mkdir()
    (repo / ".gemini").symlink_to(outside)

    with pytest.raises(BadInput, match="leads out of the repository"):
        install("--for", "gemini", "--project", "--repo", str(repo), "--yes")
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    ("agent", "text"),
    [
        ("codex", 'mcp_servers = { other = { command = "x" } }\n'),
        ("gemini", '{"a": 1, "a": 2}'),
        ("gemini", '{"a": NaN}'),
        ("gemini", '{"a": 1e999}'),
        ("gemini", "[" * 100_000),
    ],
)
def test_settings_that_we_would_break_stay_as_they_are(users_home: Path, agent: str, text: str) -> None:
    servers = skill_places.PLACES[agent].servers
    assert servers is not None
    with pytest.raises(BadInput, match="left alone"):
        skill_files.with_server(text, servers, servers.entry(("ropeteam", "mcp")))


def test_half_a_surrogate_pair_in_settings_is_written_as_it_was(users_home: Path) -> None:
    servers = skill_places.PLACES["gemini"].servers
    assert servers is not None
    text = skill_files.with_server('{"a": "\\ud800", "b": "é"}', servers, servers.entry(("ropeteam", "mcp")))
    assert text is not None
    assert json.loads(text.encode())["a"] == "\ud800"


class Terminal(io.StringIO):
    """A user who changes a file before answering."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def isatty(self) -> bool:
        return True

    def readline(self, *_size: object) -> str:
        self._path.parent.mkdir(parents=True)
        self._path.write_text("mine")
        return "y\n"


def test_what_was_changed_while_the_question_stood_is_not_overwritten(
    users_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = users_home / ".claude/skills/2-code/SKILL.md"
    monkeypatch.setattr("sys.stdin", Terminal(path))
    with pytest.raises(UserError, match="in the meantime"):
        skills.install_skill.main(["--for", "claude"], standalone_mode=False)
    assert path.read_text() == "mine"
