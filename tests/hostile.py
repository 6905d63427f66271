"""Configuration, hooks and attributes that run programs, for tests that show that none of it runs.

Each program leaves a file in the folder `canaries`. Written without git, so that an agent's program can plant them too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

HOOKS = [
    "applypatch-msg",
    "pre-applypatch",
    "post-applypatch",
    "pre-commit",
    "pre-merge-commit",
    "prepare-commit-msg",
    "commit-msg",
    "post-commit",
    "pre-rebase",
    "post-checkout",
    "post-merge",
    "pre-push",
    "pre-receive",
    "update",
    "proc-receive",
    "post-receive",
    "post-update",
    "reference-transaction",
    "push-to-checkout",
    "pre-auto-gc",
    "post-rewrite",
    "sendemail-validate",
    "fsmonitor-watchman",
    "post-index-change",
]
ATTRIBUTES = "* filter=evil merge=evil diff=evil\n*.proc filter=process\n"


def program(folder: Path, name: str) -> str:
    """A program that leaves a canary of this name and passes its input on."""
    path = folder / f"evil-{name}"
    path.write_text(f"#!/bin/sh\n: > '{folder}/canaries/{name}'\ncat 2>/dev/null\nexit 0\n")
    path.chmod(0o755)
    return str(path)


def hostile_config(folder: Path, where: str) -> dict[str, str]:
    """Everything in a configuration that runs a program. where: part of the canaries' names."""
    keys = {
        "core.fsmonitor": "fsmonitor",
        "core.alternateRefsCommand": "alternate-refs",
        "core.sshCommand": "ssh",
        "core.gitProxy": "proxy",
        "core.pager": "pager",
        "core.editor": "editor",
        "core.askPass": "askpass",
        "diff.external": "external",
        "diff.evil.textconv": "textconv",
        "diff.evil.command": "diff-command",
        "filter.evil.clean": "clean",
        "filter.evil.smudge": "smudge",
        "filter.process.process": "process",
        "merge.evil.driver": "driver",
        "merge.default": "evil",
        "gpg.program": "gpg",
        "gpg.ssh.program": "gpg-ssh",
        "credential.helper": "credential",
        "uploadpack.packObjectsHook": "pack-objects",
        "receive.procReceiveRefs": "refs",
        "alias.update-index": "alias",
        "hook.evil.command": "config-hook",
        "interactive.diffFilter": "diff-filter",
        "trailer.x.command": "trailer",
        "init.templateDir": "template",
    }
    words = {"merge.default": "evil", "receive.procReceiveRefs": "refs/"}
    found = {key: words.get(key) or program(folder, f"{where}-{name}") for key, name in keys.items()}
    found["alias.update-index"] = "!" + found["alias.update-index"]
    return found | {
        "commit.gpgSign": "true",
        "filter.evil.required": "true",
        "merge.verifySignatures": "true",
        "submodule.recurse": "true",
        "core.untrackedCache": "true",
        f"url.ext::{program(folder, f'{where}-url')}.insteadOf": str(folder),
    }


def as_text(config: Mapping[str, str]) -> str:
    """As a configuration file says it."""
    lines = []
    for key, value in config.items():
        section, _, rest = key.partition(".")
        subsection, _, name = rest.rpartition(".")
        head = f'[{section} "{subsection}"]' if subsection else f"[{section}]"
        lines.append(f'{head}\n\t{name} = "{value}"\n')
    return "".join(lines)


def plant(
    folder: Path, git_dir: Path, where: str, extra: Mapping[str, str] | None = None, *, attributes: bool = True
) -> None:
    """Hostile hooks, configuration, an included file and attributes for one repository.

    folder: has the programs and the canaries. attributes: whether filters and drivers are given to all files.
    """
    hooks = git_dir / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in HOOKS:
        path = hooks / hook
        path.write_text(f"#!/bin/sh\n: > '{folder}/canaries/{where}-hook-{hook}'\nexit 0\n")
        path.chmod(0o755)
    included = folder / f"{where}.included"
    included.write_text(as_text(hostile_config(folder, f"{where}-included")))
    events = ("reference-transaction", "post-index-change", "pre-commit", "post-checkout")
    text = as_text({**hostile_config(folder, where), **(extra or {}), "includeIf.gitdir:/.path": str(included)})
    text += "".join(as_text({"hook.evil.event": event}) for event in events)
    if attributes:
        named = folder / f"{where}.attributes"
        named.write_text(ATTRIBUTES)
        text += as_text({"core.attributesFile": str(named)})
        (git_dir / "info").mkdir(exist_ok=True)
        (git_dir / "info" / "attributes").write_text(ATTRIBUTES)
    with (git_dir / "config").open("a") as config:
        config.write(text)


def canaries(folder: Path) -> list[str]:
    return sorted(os.listdir(folder / "canaries"))
