"""What a policy means as mounts and arguments, and what the allow-list lets through."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ropeteam.sandbox import Access, Mount, Policy, arguments, environment, mounts, prefix

PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
MOUNTS = st.lists(st.builds(Mount, PATHS, st.sampled_from(list(Access)), st.just("/target")), max_size=12)


def where(argv: tuple[str, ...], *words: str) -> int:
    """Where these words stand one after another in the arguments."""
    return next(at for at in range(len(argv)) if argv[at : at + len(words)] == words)


def has(argv: tuple[str, ...], *words: str) -> bool:
    return any(argv[at : at + len(words)] == words for at in range(len(argv)))


@settings(deadline=None)
@given(MOUNTS)
def test_a_path_comes_after_all_above_it(places: list[Mount]) -> None:
    argv = arguments(places, "/usr/bin/bwrap", network=True)
    assert argv[0] == "/usr/bin/bwrap"
    assert argv[-1] == "--"
    options = ("--tmpfs", "--bind", "--ro-bind", "--symlink")
    rest = argv[where(argv, "--proc", "/proc") + 2 :]
    done = []
    for at, word in enumerate(rest):
        if word in options:
            done.append(rest[at + (1 if word == "--tmpfs" else 2)])
    for at, path in enumerate(done):
        assert not any(Path(path).is_relative_to(later) for later in done[at + 1 :])
    strongest = {path: max(place.access for place in places if place.path == path) for path in {p.path for p in places}}
    for path, access in strongest.items():
        assert has(argv, "--bind", path, path) == (access is Access.WRITE)
        assert has(argv, "--remount-ro", path) == (access is Access.EMPTY)
        if access is Access.READ:
            assert has(argv, "--ro-bind", path, path)


def test_root_gets_no_rights_back() -> None:
    argv = arguments([], "bwrap", network=True)
    assert "--unshare-user-try" in argv
    assert has(argv, "--cap-drop", "ALL")
    assert "--die-with-parent" in argv
    assert "--unshare-pid" in argv
    assert "--unshare-net" not in argv
    assert "--unshare-net" in arguments([], "bwrap", network=False)


def test_the_most_specific_path_decides(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name in ("repo/.git/objects", "repo/.venv", "cache/tree", ".cargo/bin", ".ssh", ".claude"):
        (home / name).mkdir(parents=True)
    (home / ".claude.json").write_text("{}")
    policy = Policy(
        tree=home / "cache/tree",
        readable=(home / "repo/.git/objects", home / "missing"),
        hidden=(home / "repo", home / "gone"),
        home=home,
        home_needed=(".claude", ".claude.json", ".missing"),
        path="/usr/bin",
    )
    argv = prefix(policy, "bwrap")
    h = str(home)
    assert where(argv, "--tmpfs", "/tmp") < where(argv, "--tmpfs", h) < where(argv, "--tmpfs", f"{h}/repo")
    objects = f"{h}/repo/.git/objects"
    assert where(argv, "--tmpfs", f"{h}/repo") < where(argv, "--ro-bind", objects, objects)
    assert where(argv, "--ro-bind", objects, objects) < where(argv, "--remount-ro", f"{h}/repo")
    assert has(argv, "--bind", f"{h}/cache/tree", f"{h}/cache/tree")
    assert has(argv, "--ro-bind", f"{h}/.cargo/bin", f"{h}/.cargo/bin")
    assert has(argv, "--bind", f"{h}/.claude", f"{h}/.claude")
    assert has(argv, "--bind", f"{h}/.claude.json", f"{h}/.claude.json")
    text = " ".join(argv)
    for absent in (".ssh", "missing", "gone", ".cargo "):
        assert absent not in text
    assert not has(argv, "--remount-ro", h)


def test_programs_below_the_home_folder_stay_visible(tmp_path: Path) -> None:
    home, tools = tmp_path / "home", tmp_path / "tools"
    venv, package = home / "code/.venv", home / "lib/node_modules"
    for folder in (venv / "bin", package / "agent/bin", home / "bin", tools, home / "secret"):
        folder.mkdir(parents=True)
    (venv / "pyvenv.cfg").write_text("")
    (package / "agent/bin/agent.js").write_text("")
    (home / "secret/run").write_text("")
    (home / "bin/agent").symlink_to(package / "agent/bin/agent.js")
    (tools / "run").symlink_to(home / "secret/run")
    path = os.pathsep.join(["relative", str(venv / "bin"), str(home / "bin"), str(tools), str(home / "no")])
    found = {mount.path for mount in mounts(Policy(tree=home / "bin", home=home, path=path))}
    assert {str(venv), str(venv / "bin"), str(home / "bin"), str(package), str(home / "secret/run")} <= found
    assert str(home / "secret") not in found
    assert str(home / "code") not in found


def test_links_into_a_hidden_folder_are_made_anew(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    (elsewhere / "tree").mkdir(parents=True)
    (home / "cache").symlink_to(elsewhere)
    (home / ".nvm").symlink_to("../elsewhere")
    argv = prefix(Policy(tree=home / "cache/tree", home=home, path="/usr/bin"), "bwrap")
    assert has(argv, "--bind", f"{elsewhere}/tree", f"{elsewhere}/tree")
    assert has(argv, "--symlink", str(elsewhere), f"{home}/cache")
    assert has(argv, "--symlink", str(elsewhere), f"{home}/.nvm")
    assert not has(argv, "--bind", f"{home}/cache/tree", f"{home}/cache/tree")


def test_the_folder_above_is_no_link(tmp_path: Path) -> None:
    for name in ("home", "repo", "elsewhere/deep", "elsewhere/scripts"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "repo" / "link").symlink_to(tmp_path / "elsewhere" / "deep")
    wanted = (tmp_path / "repo" / ".." / "elsewhere", tmp_path / "repo" / "link" / ".." / "scripts")
    found = mounts(Policy(tree=tmp_path / "repo", readable=wanted, home=tmp_path / "home"))
    assert Mount(str(tmp_path / "elsewhere"), Access.READ) in found
    assert Mount(str(tmp_path / "elsewhere" / "scripts"), Access.READ) in found
    assert not [mount for mount in found if mount.path.endswith("..")]


def test_the_whole_file_system_as_home_hides_nothing(tmp_path: Path) -> None:
    argv = prefix(Policy(tree=tmp_path, home=Path("/"), path="/usr/bin"), "bwrap")
    assert not has(argv, "--tmpfs", "/")
    assert not has(argv, "--bind", "/", "/")


def test_the_environment_is_an_allow_list() -> None:
    caller = {
        "PATH": "/bin", "HOME": "/home/u", "LC_ALL": "C", "HTTPS_PROXY": "p", "GIT_SSL_CAINFO": "/ca",
        "CARGO_HOME": "/c", "AWS_SECRET_ACCESS_KEY": "s", "GITHUB_TOKEN": "s", "ANTHROPIC_API_KEY": "k", "MINE": "m",
        "GIT_DIR": "/x", "GIT_INDEX_FILE": "/x",
        "SSH_AUTH_SOCK": "/s", "PYTHONPATH": "/p", "NODE_OPTIONS": "--require x",
    }  # fmt: skip
    seen = environment(caller, {"PORT": "1", "PATH": "/other"}, ("ANTHROPIC_API_KEY", "GIT_DIR", "NOT_THERE"))
    assert seen == {
        "PATH": "/other", "HOME": "/home/u", "LC_ALL": "C", "HTTPS_PROXY": "p", "GIT_SSL_CAINFO": "/ca",
        "CARGO_HOME": "/c", "ANTHROPIC_API_KEY": "k", "PORT": "1",
    }  # fmt: skip
