"""Records the git calls of a run, and makes a shell script of them that does the same work without ropeteam.

As `ROPETEAM_GIT` this file is a git that notes each call (arguments, environment, folder, standard input, exit code)
and what somebody else than git had done to the files it works on since the call before: an index copied, a folder
renamed or mounted, a file written. `script` makes lines of sh of both, in the order in which the calls began. So the
script does what ropeteam does with git, one call after the other, and checks that each ends as it did.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys

LARGE = 1_000_000
OWN = "RECORDING_FOLDER"


class Recorder:
    """What is known of the files after the calls so far, kept in `folder` between them."""

    def __init__(self, folder):
        self.folder = folder
        self.state = {
            "n": 0,
            "dirs": {},
            "index": {},
            "content": {},
            "small": {},
            "made": {},
            "mounts": [],
            "folders": [],
        }
        self.actions = []

    def load(self):
        path = os.path.join(self.folder, "state.json")
        if os.path.exists(path):
            with open(path) as file:
                self.state = json.load(file)

    def save(self):
        with open(os.path.join(self.folder, "state.json"), "w") as file:
            json.dump(self.state, file)

    # ---- before a call

    def before(self, env, argv, top):
        tree, git_dir, index = (env.get(f"GIT_{name}") for name in ("WORK_TREE", "DIR", "INDEX_FILE"))
        if tree and tree != top and os.path.isdir(tree):
            self.place(tree)
        if git_dir and os.path.isdir(git_dir):
            self.place(git_dir)
            if git_dir != os.path.join(top, ".git"):
                self.small(git_dir)
        for path in (*env.values(), *argv):
            if "/ropeteam-" in path and os.path.isfile(path) and path != index:
                self.keep(path)
        if index:
            self.index(index)
        if tree and tree != top:
            self.made(tree)

    def place(self, path):
        """A folder that must be there: mounted, renamed from where it was, or made."""
        if path in self.state["mounts"] or any(path.startswith(m + "/") for m in self.state["mounts"]):
            return
        mounted = overlay(path)
        if mounted:
            for part in mounted.values():
                self.place(part)
            self.actions.append(["mount", path, mounted])
            self.state["mounts"].append(path)
            return
        before = self.state["dirs"].get(number(path))
        if before is None:
            self.actions.append(["mkdir", path])
        elif before != path:
            old, new = before, path
            while os.path.basename(old) == os.path.basename(new):
                old, new = os.path.dirname(old), os.path.dirname(new)
            self.actions.append(["mv", old, new])
            self.renamed(old, new)
        self.state["dirs"][number(path)] = path

    def renamed(self, old, new):
        def moved(path):
            return new + path[len(old) :] if path == old or path.startswith(old + "/") else path

        state = self.state
        state["dirs"] = {key: moved(path) for key, path in state["dirs"].items()}
        state["content"] = {key: moved(path) for key, path in state["content"].items()}
        state["folders"] = [moved(path) for path in state["folders"]]
        for name in ("index", "small", "made"):
            state[name] = {moved(path): value for path, value in state[name].items()}

    def small(self, git_dir):
        """What was written into a repository by hand: its configuration, alternates, patterns."""
        for part in ("objects", "refs"):
            if os.path.isdir(os.path.join(git_dir, part)):
                self.folder_of(os.path.join(git_dir, part, "x"))
        for path in small_files(git_dir):
            self.keep(path)

    def folder_of(self, path):
        folder = os.path.dirname(path)
        if folder not in self.state["folders"]:
            self.state["folders"].append(folder)
            self.actions.append(["mkdir", folder])

    def keep(self, path):
        digest = digest_of(path)
        if self.state["small"].get(path) != digest:
            self.state["small"][path] = digest
            self.folder_of(path)
            self.actions.append(["cp", self.copy(path, digest), path])

    def copy(self, path, digest):
        copy = os.path.join(self.folder, "files", digest)
        if not os.path.exists(copy):
            shutil.copy2(path, copy)
        return copy

    def index(self, path):
        known = self.state["index"].get(path)
        self.folder_of(path)
        if not os.path.exists(path):
            if known is not None:
                self.actions.append(["rm", path])
            return
        digest = digest_of(path)
        if digest == known:
            return
        source = self.state["content"].get(digest)
        self.actions.append(["cp", source or self.copy(path, digest), path])
        self.state["index"][path] = digest

    def made(self, tree):
        """What the agents write."""
        now, before = made(tree), self.state["made"].get(tree, {})
        for name in before.keys() - now.keys():
            self.actions.append(["rm", os.path.join(tree, "made", name)])
        for name, text in now.items():
            if before.get(name) != text:
                self.actions.append(["write", os.path.join(tree, "made", name), text])
        self.state["made"][tree] = now

    # ---- after a call

    def after(self, env, top):
        tree, git_dir, index = (env.get(f"GIT_{name}") for name in ("WORK_TREE", "DIR", "INDEX_FILE"))
        for path in (tree, git_dir):
            if path and os.path.isdir(path) and path not in self.state["mounts"]:
                self.state["dirs"][number(path)] = path
        if git_dir and git_dir != os.path.join(top, ".git") and os.path.isdir(git_dir):
            for path in small_files(git_dir):
                self.state["small"][path] = digest_of(path)
        if index and os.path.exists(index):
            digest = digest_of(index)
            self.state["index"][index] = digest
            self.state["content"][digest] = index
        if tree and tree != top:
            self.state["made"][tree] = made(tree)


def number(path):
    found = os.stat(path)
    return f"{found.st_dev}:{found.st_ino}"


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.sha1(file.read()).hexdigest()


def small_files(git_dir):
    found = []
    for part in ("", "info", "objects/info"):
        folder = os.path.join(git_dir, part)
        if os.path.isdir(folder):
            found += [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    away = ("index", "sharedindex", "HEAD.", "packed-refs")
    return [
        path
        for path in found
        if os.path.isfile(path)
        and not os.path.basename(path).startswith(away)
        and not path.endswith((".lock", ".new"))
        and os.path.getsize(path) < LARGE
    ]


def made(tree):
    folder = os.path.join(tree, "made")
    found = {}
    if os.path.isdir(folder):
        for name in os.listdir(folder):
            with open(os.path.join(folder, name)) as file:
                found[name] = file.read()
    return found


def overlay(path):
    """Folders of the overlay that is mounted at `path`; None for no mount."""
    with open("/proc/self/mountinfo") as file:
        for line in file:
            fields, _, rest = line.partition(" - ")
            if fields.split(" ")[4] == path and rest.split(" ")[1] == "ropeteam-tree":
                options = dict(part.partition("=")[::2] for part in rest.split(" ")[2].strip().split(","))
                notes = {}
                for name in ("lowerdir", "upperdir", "workdir"):
                    notes[name] = options[name]
                base = beside(path, notes["upperdir"])
                return {name: os.path.realpath(os.path.join(base, part)) for name, part in notes.items()}
    return None


def beside(path, upper):
    """The folder that the mount's relative paths are relative to."""
    place = os.path.dirname(path)
    while place != "/":
        for name in os.listdir(place):
            folder = os.path.join(place, name)
            if ".overlay-" in name and os.path.isdir(os.path.join(folder, upper)):
                return folder
        place = os.path.dirname(place)
    raise AssertionError(f"nothing is known of the mount {path}")


def record(argv):
    folder, top = os.environ[OWN], os.environ["RECORDING_TOP"]
    env = {name: value for name, value in os.environ.items() if name.startswith("GIT_") or name == "LC_ALL"}
    stdin = None
    if os.readlink("/proc/self/fd/0") != "/dev/null":
        stdin = os.fdopen(0, "rb", closefd=False).read()
    recorder = Recorder(folder)
    with open(os.path.join(folder, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        recorder.load()
        recorder.before(env, argv, top)
        recorder.state["n"] += 1
        n = recorder.state["n"]
        recorder.save()
    given = os.path.join(folder, "files", f"stdin.{n}")
    if stdin is not None:
        with open(given, "wb") as file:
            file.write(stdin)
    with open(os.devnull if stdin is None else given, "rb") as source:
        code = subprocess.call(["git", *argv], stdin=source)
    with open(os.path.join(folder, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        late = Recorder(folder)
        late.load()
        late.after(env, top)
        late.save()
        call = {
            "n": n,
            "argv": argv,
            "env": env,
            "cwd": os.getcwd(),
            "stdin": None if stdin is None else given,
            "before": recorder.actions,
            "code": code,
        }
        with open(os.path.join(folder, "calls"), "a") as file:
            file.write(json.dumps(call) + "\n")
    return code


# ---- the script


def start(folder, top):
    """A folder for a recording, and the environment of the program that is to be recorded."""
    os.makedirs(os.path.join(folder, "files"))
    recorder = Recorder(folder)
    index = os.path.join(top, ".git", "index")
    recorder.state["index"][index] = digest_of(index)
    recorder.state["content"][digest_of(index)] = index
    for place in (top, os.path.join(top, ".git")):
        recorder.state["dirs"][number(place)] = place
    recorder.save()
    program = os.path.join(folder, "git")
    with open(program, "w") as file:
        file.write(f'#!/bin/sh\nexec {sys.executable} -I -S {os.path.abspath(__file__)} "$@"\n')
    os.chmod(program, 0o755)
    return {"ROPETEAM_GIT": program, OWN: folder, "RECORDING_TOP": top}


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def script(folder):
    """The script of a recording: (its path, how many git calls it makes)."""
    with open(os.path.join(folder, "calls")) as file:
        calls = sorted((json.loads(line) for line in file), key=lambda call: call["n"])
    lines = ['fail() { echo "call $1 ended with $2" >&2; exit 1; }']
    env, cwd = {}, ""
    for call in calls:
        lines += [line_of(action) for action in call["before"]]
        changed = {name: value for name, value in call["env"].items() if env.get(name) != value}
        gone = [name for name in env if name not in call["env"]]
        if gone:
            lines.append("unset " + " ".join(gone))
        if changed:
            lines.append("export " + " ".join(f"{name}={quoted(value)}" for name, value in changed.items()))
        env = call["env"]
        if call["cwd"] != cwd:
            cwd = call["cwd"]
            lines.append(f"cd {quoted(cwd)}")
        command = " ".join(quoted(part) for part in ["git", *call["argv"]])
        given = quoted(call["stdin"]) if call["stdin"] else "/dev/null"
        ending = f"|| fail {call['n']} $?" if call["code"] == 0 else f"; [ $? = {call['code']} ] || fail {call['n']} $?"
        lines.append(f"{command} <{given} >/dev/null 2>&1 {ending}")
    path = os.path.join(folder, "script.sh")
    with open(path, "w") as file:
        file.write("\n".join(lines) + "\n")
    return path, len(calls)


def line_of(action):
    kind, *rest = action
    if kind == "mkdir":
        return f"[ -d {quoted(rest[0])} ] || mkdir -p {quoted(rest[0])}"
    if kind == "mv":
        return f"[ ! -d {quoted(rest[1])} ] || rmdir {quoted(rest[1])}; mv {quoted(rest[0])} {quoted(rest[1])}"
    if kind == "cp":
        return f"cp -p {quoted(rest[0])} {quoted(rest[1])}"
    if kind == "rm":
        return f"rm -f {quoted(rest[0])}"
    if kind == "write":
        return f"mkdir -p {quoted(os.path.dirname(rest[0]))}; printf %s {quoted(rest[1])} >{quoted(rest[0])}"
    path, parts = rest
    options = ",".join(f"{name}={part}" for name, part in parts.items())
    folders = " ".join(quoted(part) for part in (path, parts["upperdir"], parts["workdir"]))
    return (
        f"mkdir -p {folders}; mount -t overlay -o {quoted(options + ',redirect_dir=on,index=off,metacopy=off')}"
        f" ropeteam-tree {quoted(path)}"
    )


if __name__ == "__main__":
    sys.exit(record(sys.argv[1:]))
