"""What an agent, and the project's own commands, can reach: bubblewrap where it runs, and an environment everywhere.

Inside, the whole file system can be read and not written, except: the work tree and what the caller names is writable;
`/tmp` is empty and its own; the home folder is empty, its own, and gone afterwards, but for tool chains, the agent's
settings (both read only) and what the agent needs for its log-in; the user's checkout is empty and read-only, but for
its object store; sockets that lead out (docker, the session bus, key agents) are not there. A process namespace of its
own: nothing survives.

The most specific path decides: a work tree below the home folder is writable, a secret named below it is hidden.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from pathlib import Path

import msgspec

from ropeteam import process

PROBE_SECONDS = 20.0  # 8 ms on an idle machine

TOOLCHAINS = """
    .pyenv .rbenv .rvm .nvm .volta .asdf .sdkman .bun .deno .rustup .jenv .nodenv .goenv .ghcup .juliaup .elan
    .cargo/bin .cargo/registry .cargo/git .cargo/config.toml .cargo/env go/bin go/pkg sdk .m2/repository
    .gradle/caches .gradle/wrapper .gem/ruby .composer/vendor .config/composer/vendor .dotnet .nuget/packages
    .local/bin .local/lib .local/pipx .local/share/uv .local/share/pipx .local/share/mise .local/share/fnm
    .local/share/pnpm .local/share/claude .npm-global .yarn/bin .opencode/bin
"""  # below the home folder: programs and what they load; none holds a log-in

SOCKETS = """
    /run/user /run/docker.sock /run/docker /run/containerd /run/podman /run/dbus /run/libvirt /run/snapd.socket
"""  # whoever can talk to these can do what the sandbox forbids

ALLOWED = """
    PATH HOME USER LOGNAME SHELL LANG LANGUAGE TERM COLORTERM NO_COLOR TZ TMPDIR
    XDG_CONFIG_HOME XDG_DATA_HOME XDG_CACHE_HOME XDG_STATE_HOME
    HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy
    SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS REQUESTS_CA_BUNDLE CURL_CA_BUNDLE GIT_SSL_CAINFO
    PYENV_ROOT CARGO_HOME RUSTUP_HOME GOPATH GOROOT GOMODCACHE GOTOOLCHAIN NVM_DIR NVM_BIN JAVA_HOME VOLTA_HOME
    BUN_INSTALL DENO_DIR FNM_DIR FNM_MULTISHELL_PATH ASDF_DIR ASDF_DATA_DIR MISE_DATA_DIR SDKMAN_DIR RBENV_ROOT
    GEM_HOME GEM_PATH COMPOSER_HOME MAVEN_HOME M2_HOME GRADLE_HOME GRADLE_USER_HOME ANDROID_HOME DOTNET_ROOT
    PNPM_HOME UV_PYTHON_INSTALL_DIR LD_LIBRARY_PATH PKG_CONFIG_PATH
"""  # variables of the caller that everything may see, and LC_*; names of places and manners, none a key


SYSTEM = ("/bin", "/sbin", "/usr/bin", "/usr/sbin")  # of PATH: nothing in there leads into a home folder


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A folder whose entries can be read, and which seems writable: what is written there is gone afterwards.

    kept: paths relative to it that are written for good, where they exist. fresh: names in it that are not shown.
    own: names in it in whose place another folder stands, which is written for good.
    """

    folder: Path
    kept: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    own: dict[str, Path] = {}


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """tree: the work tree, which can be written unless `tree_writable` is False. writable, readable, hidden: further
    paths (what does not exist is left out).

    at: an empty folder in whose place the tree stands too, and where commands begin: trees with the same one look the
    same from inside, so that a path means the same in all of them.

    home: the caller's home folder; home_needed: paths relative to it that are readable and writable.
    path: where programs are looked up (PATH; empty: our own), so that those below the home folder stay there.
    """

    tree: Path
    tree_writable: bool = True
    at: Path | None = None
    writable: tuple[Path, ...] = ()
    readable: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    views: tuple[View, ...] = ()
    home: Path
    home_needed: tuple[str, ...] = ()
    network: bool = True
    path: str = ""


class Availability(msgspec.Struct, frozen=True, kw_only=True):
    """Whether commands can be confined here. path: of bubblewrap. why: a sentence when not."""

    ok: bool
    path: str = ""
    why: str = ""


class Access(IntEnum):
    """Of one path and everything below it. Of two for one path the greater holds."""

    LINK = 0  # a symbolic link on the way to another path: made anew where the folder that held it is hidden
    EMPTY_WRITABLE = 1
    EMPTY = 2
    ABSENT = 3  # a file or socket: /dev/null stands there
    VISIBLE = 4  # can be read; whether it can be written is left to the folder that holds it
    READ = 5
    WRITE = 6


class Mount(msgspec.Struct, frozen=True):
    """target: of a link. source: what stands at `path` if not what is there by itself."""

    path: str
    access: Access
    target: str = ""
    source: str = ""


def available(path: str | None = None, *, network: bool = True) -> Availability:
    """Try it: run `true` in a sandbox. path: where to look for bubblewrap (PATH). network False: without one."""
    if not sys.platform.startswith("linux"):
        return Availability(ok=False, why="the sandbox (bubblewrap) exists on Linux only")
    found = shutil.which("bwrap", path=path)
    if found is None:
        return Availability(ok=False, why="bubblewrap (bwrap) is not installed")
    nothing = arguments([Mount("/tmp", Access.EMPTY_WRITABLE)], found, network=network)
    try:
        done = process.run((*nothing, "true"), timeout=PROBE_SECONDS)
    except (OSError, TimeoutError) as error:
        return Availability(ok=False, path=found, why=f"bubblewrap does not run: {error}")
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip()
        return Availability(ok=False, path=found, why=f"bubblewrap does not run here: {words or done.returncode}")
    return Availability(ok=True, path=found)


def prefix(policy: Policy, bwrap_path: str) -> tuple[str, ...]:
    """What to put before a command so that it runs under that policy. Looks at the file system: which paths exist."""
    at = str(policy.at.resolve()) if policy.at is not None else ""
    return arguments(mounts(policy), bwrap_path, network=policy.network, at=at)


def arguments(places: Iterable[Mount], bwrap_path: str, *, network: bool, at: str = "") -> tuple[str, ...]:
    """The command line, ending in `--`. A path comes after those above it, so that it is not covered by them.
    at: where commands begin; empty: where they are started.

    A user namespace and no capabilities also for root, who could otherwise make everything writable again.
    """
    argv = [bwrap_path, "--unshare-user-try", "--cap-drop", "ALL", "--unshare-pid", "--unshare-ipc"]
    argv += ["--die-with-parent", *([] if network else ["--unshare-net"])]
    argv += ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    chosen = _strongest(places)
    sealed: list[str] = []
    for mount in sorted(chosen.values(), key=lambda mount: (mount.path.count("/"), mount.path)):
        match mount.access:
            case Access.LINK:
                argv += ["--symlink", mount.target, mount.path] if _in_a_hidden_folder(mount.path, chosen) else []
            case Access.VISIBLE:
                argv += ["--ro-bind", mount.path, mount.path] if _in_a_hidden_folder(mount.path, chosen) else []
            case Access.EMPTY_WRITABLE:
                argv += ["--tmpfs", mount.path]
            case Access.EMPTY:  # sealed once everything below it is in place: a write there would be lost unnoticed
                argv += ["--tmpfs", mount.path]
                sealed += ["--remount-ro", mount.path]
            case Access.ABSENT:
                argv += ["--ro-bind", "/dev/null", mount.path]
            case Access.READ:
                argv += ["--ro-bind", mount.source or mount.path, mount.path]
            case Access.WRITE:
                argv += ["--bind", mount.source or mount.path, mount.path]
    begin = ("--chdir", at) if at else ()
    return (*argv, *sealed, *begin, "--setenv", "TMPDIR", "/tmp", "--")


def _strongest(places: Iterable[Mount]) -> dict[str, Mount]:
    found: dict[str, Mount] = {}
    for mount in places:
        if mount.path not in found or found[mount.path].access < mount.access:
            found[mount.path] = mount
    return found


def _in_a_hidden_folder(path: str, chosen: Mapping[str, Mount]) -> bool:
    above = (chosen.get(str(folder)) for folder in Path(path).parents)
    nearest = next((mount for mount in above if mount is not None), None)
    return nearest is not None and nearest.access in (Access.EMPTY, Access.EMPTY_WRITABLE)


def mounts(policy: Policy) -> list[Mount]:
    """What the policy means on this machine: real paths that exist, with what is allowed there."""
    home = policy.home.resolve()
    wanted = [(Path("/tmp"), Access.EMPTY_WRITABLE), (Path("/var/tmp"), Access.EMPTY_WRITABLE)]
    wanted += [(Path(socket), Access.EMPTY) for socket in SOCKETS.split()]
    wanted += [(path, Access.EMPTY) for path in policy.hidden]
    wanted += [(home, Access.EMPTY_WRITABLE)]
    wanted += [(home / name, Access.VISIBLE) for name in TOOLCHAINS.split()]
    wanted += [(path, Access.VISIBLE) for path in _programs(home, policy.path or os.environ.get("PATH", ""))]
    wanted += [(Path(root), Access.VISIBLE) for root in (sys.prefix, sys.base_prefix)]
    wanted += [place for view in policy.views for place in _entries(view, home)]
    wanted += [(path, Access.READ) for path in policy.readable]
    wanted += [(home / name, Access.WRITE) for name in policy.home_needed]
    in_tree = Access.WRITE if policy.tree_writable else Access.READ
    wanted += [(policy.tree, in_tree)]
    wanted += [(path, Access.WRITE) for path in policy.writable]
    placed = [mount for path, access in wanted for mount in _mounts_of(path, access)]
    for mount in _mounts_of(policy.at, in_tree) if policy.at is not None else ():
        own = str(policy.tree.resolve()) if mount.access is in_tree else ""
        placed.append(Mount(mount.path, mount.access, mount.target, own))
    for view in policy.views:
        folder = view.folder.resolve()
        if folder.is_dir() or (home.is_dir() and _inside(folder, home)):  # else there is nowhere to put them
            placed += [Mount(str(folder / n), Access.WRITE, source=str(place)) for n, place in view.own.items()]
    return placed


def _entries(view: View, home: Path) -> Iterator[tuple[Path, Access]]:
    """A folder of the sandbox's own in place of the real one, so that nothing can be put into that, and its entries."""
    yield view.folder, Access.EMPTY_WRITABLE
    folder = view.folder.resolve()
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        if entry.name in view.fresh or entry.name in view.own or not entry.exists():
            continue
        if not home.is_relative_to(entry.resolve()):  # a link up to the home folder would show all of it
            yield entry, Access.VISIBLE
    for name in view.kept:
        yield folder / name, Access.WRITE


def _mounts_of(path: Path, access: Access) -> Iterator[Mount]:
    """Of one wanted path: the links on the way to it, and what it leads to if that exists."""
    real = Path("/")
    for part in path.absolute().parts[1:]:
        if part == "..":  # of what the way so far led to, as the kernel has it
            real = real.parent
            continue
        step = real / part
        if not os.path.islink(step):  # noqa: PTH114 - never raises. What is above is resolved: one look is enough
            real = step
            continue
        real = step.resolve()  # never raises for what is missing or may not be seen
        if real != step:
            yield Mount(str(step), Access.LINK, str(real))
    try:
        folder = real.is_dir()
        if real == Path("/") or not (folder or real.exists()):
            return
    except OSError:
        return
    yield Mount(str(real), Access.ABSENT if access is Access.EMPTY and not folder else access)


def _programs(home: Path, path: str) -> Iterator[Path]:
    """The folders below the home folder that PATH names, and what below it the links in PATH's folders lead to."""
    for folder in (Path(name) for name in path.split(os.pathsep)):
        if not folder.is_absolute() or str(folder) in SYSTEM:
            continue
        if _inside(folder.resolve(), home):
            yield _package(folder.resolve())
            yield folder
        try:
            links = [entry for entry in folder.iterdir() if entry.is_symlink()]
        except OSError:
            continue
        for link in links:
            target = link.resolve()
            if _inside(target, home):
                yield _package(target)


def _package(program: Path) -> Path:
    """What a program needs beside itself: the virtual environment or `node_modules` that it lies in, else nothing."""
    for above in program.parents:
        if above.name == "node_modules" or (above / "pyvenv.cfg").exists():
            return above
    return program


def _inside(path: Path, folder: Path) -> bool:
    return path != folder and path.is_relative_to(folder)


def environment(caller: Mapping[str, str], extra: Mapping[str, str], pass_env: Sequence[str]) -> dict[str, str]:
    """For an agent or a check: of the caller's own variables an allow-list and those named in `pass_env`, then `extra`.

    Of the caller's `GIT_*` only the certificate file passes, named or not: the others could lead git in a work tree to
    another repository.
    """
    allowed = {*ALLOWED.split(), *(name for name in pass_env if not name.startswith("GIT_"))}
    passed = {name: value for name, value in caller.items() if name in allowed or name.startswith("LC_")}
    return {**passed, **extra}
