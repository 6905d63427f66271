"""The real claude program as a host: with the plugin installed, in the sample of the demo, against a scripted model.

The feature `house` of the sample (eight units that know nothing of each other) is planned as `checkout`. Who asks is
told apart by the text of the request: the conversation of `/2-code`, and the subagents it starts. The agents that
ropeteam starts play the demo's recording.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from repositories import git
from ropeteam.agents.claude import bundled
from ropeteam.demo import composing, playing, recording, repository
from ropeteam.testing.model_server import Call, ModelServer, Request, Shell, Turn

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "plugin"
FEATURE = "checkout"
TIME_SCALE = 100.0
MODEL = "claude-sonnet-4-5"
NAME = "host"
"""Of the one script of the model server."""
CODING = "<command-name>/ropeteam:2-code</command-name>"
"""Stands in every request of the conversation in which the skill was called, and in no subagent's."""
TOOL = "mcp__plugin_ropeteam_ropeteam__"
BEGINS, ENDS = "Phase 2 begins.", "Phase 2 is over."
"""What the model says before the first call of phase 2, and after its last answer."""
SECONDS = 150.0


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]

    def __str__(self) -> str:
        return f"exit code {self.code}\n--- out\n{self.out[-6000:]}\n--- err\n{self.err[-3000:]}"


@dataclass
class Host:
    """A user with claude, with a home of their own, in front of a repository with a planned feature."""

    folder: Path
    repo: Path
    server: ModelServer
    env: dict[str, str] = field(default_factory=dict)

    def claude(self, *args: str) -> Done:
        """Run the program to its end, in the repository."""
        done = subprocess.run(
            [str(bundled()), *args],
            cwd=self.repo,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def ropeteam(self, *args: str) -> Done:
        argv = [sys.executable, "-m", "ropeteam", *args]
        done = subprocess.run(
            argv, cwd=self.repo, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def install(self, place: Path = ROOT) -> None:
        """The plugin, from a path, as a user installs it."""
        for words in (("marketplace", "add", str(place)), ("install", "ropeteam@ropeteam")):
            done = self.claude("plugin", *words)
            assert done.code == 0, done

    def without_ropeteam(self) -> None:
        """It is not installed: neither the program nor the MCP server is there."""
        places = self.env["PATH"].split(":")
        self.env["PATH"] = ":".join(place for place in places if not (Path(place) / "ropeteam").exists())

    def code(
        self,
        turns: Sequence[Turn],
        prompt: str = f"/2-code {FEATURE}",
        subagents: Mapping[str, Sequence[Turn]] | None = None,
    ) -> Done:
        """`claude -p "/2-code …"`, whose model says these turns. subagents: what the model says to those in whose
        requests a text stands; each unit of the feature has one that does it."""
        self.server.script_for(NAME, CODING, turns)
        for saying, its in (subagents or {}).items():
            self.server.script_for(NAME, saying, its)
        self.server.script_for(NAME, "host-loop.md", host_loop(self))
        for unit in UNITS:  # after the conversation itself, which holds the same words
            work = Shell(command=f"{sys.executable} {self.folder / 'work.py'} {unit}")
            self.server.script_for(NAME, f"{unit}-1/io/", [Turn(calls=(work,)), Turn(text="done")])
        allowed = (TOOL.rstrip("_"), "Bash", "Read", "Task", "Write", "Edit")
        how = ("--output-format", "stream-json", "--verbose", "--model", MODEL, "--permission-mode", "acceptEdits")
        return self.claude("-p", prompt, *how, "--allowedTools", *allowed)

    def report(self) -> Any:
        return json.loads(self.ropeteam("report", "--json").out)

    def conversation(self) -> list[Request]:
        """Requests of the conversation of `/2-code`, in order."""
        return [request for request in self.server.requests(NAME) if request.main and CODING in request.text]


def told(request: Request) -> list[str]:
    """What the tools answered, as the model reads it, up to this request."""
    found = []
    for message in request.body["messages"]:
        for block in message["content"] if isinstance(message["content"], list) else ():
            if block.get("type") == "tool_result":
                content = block["content"]
                found.append(content if isinstance(content, str) else "".join(c.get("text", "") for c in content))
    return found


def size(request: Request) -> int:
    """Of all that the model reads, in tokens of four characters: tools, system prompt, messages."""
    parts = {name: request.body.get(name) for name in ("tools", "system", "messages")}
    for message in parts["messages"] or ():
        for block in message["content"] if isinstance(message["content"], list) else ():
            block.pop("cache_control", None)  # where the cache is marked is no text
    return len(json.dumps(parts, ensure_ascii=False, separators=(",", ":"))) // 4


def added(requests: Sequence[Request]) -> int:
    """Tokens that phase 2 adds to the conversation: from its first call to the last answer, calls included."""
    before = [r for r in requests if BEGINS not in said(r)]
    after = [r for r in requests if ENDS in said(r)]
    return size(after[0]) - size(before[-1])


def said(request: Request) -> str:
    """The model's own words so far."""
    return "\n".join(
        block.get("text", "")
        for message in request.body["messages"]
        if message["role"] == "assistant" and isinstance(message["content"], list)
        for block in message["content"]
    )


def call(tool: str, **arguments: Any) -> Call:
    return Call(name=f"{TOOL}{tool}", input=arguments)


def first_phases() -> list[Turn]:
    """Phases 0 and 1: the feature is looked at."""
    folder = f".workspace/features/{FEATURE}"
    looks = Shell(command=f"ls {folder}; sed -n 1,40p {folder}/01-intent.md; git status --short")
    return [Turn(text=f"The feature is {FEATURE}.", calls=(looks,))]


def last_phases() -> list[Turn]:
    """Phases 3 to 5, cut short."""
    test = Shell(command=f"{sys.executable} -m unittest discover 2>&1 | tail -3")
    return [Turn(text=f"{ENDS} Now its tests.", calls=(test,)), Turn(text="All requirements hold.")]


def code_of(h: Host, start: Mapping[str, str]) -> str:
    """The code that `start` will answer with: a scripted model cannot repeat what it was told."""
    asks = "import json, sys; from pathlib import Path; from ropeteam.cli.mcp_answers import Call, answer;"
    asks += " print(answer('start', Call(repo=Path.cwd()), json.loads(sys.argv[1])).confirm)"
    argv = (sys.executable, "-c", asks, json.dumps(start))
    done = subprocess.run(argv, cwd=h.repo, env=h.env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def by_tools(h: Host) -> list[Turn]:
    """Phase 2 through MCP: the tools are looked up, the user is asked once, and it is waited twice."""
    start = {"feature": FEATURE, "land": "yes", "mode": "parallel"}
    return [
        *first_phases(),
        Turn(text=BEGINS, calls=(look_up("start", "wait"),)),
        Turn(calls=(call("start", **start),)),
        Turn(text=f"{DECISION} Shall I begin?", calls=(call("start", **start, confirm=code_of(h, start)),)),
        Turn(calls=(call("wait", timeout_seconds=2),)),
        Turn(text="Four agents are at work.", calls=(call("wait"),)),
        *last_phases(),
    ]


def by_commands(_host: Host) -> list[Turn]:
    """The same by the command line."""
    run = f"ropeteam run {FEATURE} --mode parallel --land yes --detach --json"
    reads = Call(name="Read", input={"file_path": str(PLUGIN / "skills/2-code/references/command-line.md")})
    return [
        *first_phases(),
        Turn(text=BEGINS, calls=(reads,)),
        Turn(calls=(Shell(command=f"ropeteam plan {FEATURE} --short"),)),
        Turn(text=f"{DECISION} Shall I begin?", calls=(Shell(command=f"{run} --yes"),)),
        Turn(calls=(Shell(command="ropeteam wait --timeout 2 --short; echo code $?"),)),
        Turn(text="Four agents are at work.", calls=(Shell(command="ropeteam wait --timeout 90 --short"),)),
        *last_phases(),
    ]


UNITS = ("02-readings", "03-wish", "04-desk", "07-shifts", "01-find", "05-locker", "06-tips", "08-gift")
"""Of the plan that is made of the feature, in the order in which they are begun."""


def by_host(h: Host) -> list[Turn]:
    """Phase 2 with the host's own subagents: one of them hands out the units in two rounds of four, and reports."""
    start = {"feature": FEATURE, "land": "yes", "mode": "parallel", "agent": "host"}
    reads = Call(name="Read", input={"file_path": str(PLUGIN / "skills/2-code/references/host-mode.md")})
    loop = f"{PLUGIN / 'skills/2-code/references/host-loop.md'} and do what it says for the run of {FEATURE}."
    prompt = f"Read {loop} Answer with the report it ends with, letter by letter."
    return [
        *first_phases(),
        Turn(text=BEGINS, calls=(look_up("start"), reads)),
        Turn(calls=(call("start", **start),)),
        Turn(text=f"{DECISION} Shall I begin?", calls=(call("start", **start, confirm=code_of(h, start)),)),
        Turn(calls=(agent("Hand out the units", prompt),)),
        *last_phases(),
    ]


def host_loop(h: Host) -> list[Turn]:
    """What the subagent does that hands out the units."""
    turns = [Turn(calls=(look_up("take_unit", "hand_in_unit"),))]
    for units in (UNITS[:4], UNITS[4:]):
        turns += [
            Turn(calls=(call("take_unit"),)),
            Turn(calls=tuple(subagent(h, unit) for unit in units)),
            Turn(calls=(call("hand_in_unit", attempts=[f"{unit}/1" for unit in units]),)),
        ]
    return [*turns, Turn(calls=(call("take_unit"),)), Turn(text=REPORTED)]


REPORTED = (
    "Delivered by several agents and landed on main. 1 check passed.\nDecided: several agents. Predicted speed-up 1.58"
    " (its lower quantile), 98.2% sure to take no longer than one agent.\n67 files (64 created, 3 modified):"
    + " +library/controllers/finds.py"
    * 12
    + " and 55 more\nChecks: unittest passed (136 tests, 86 new).\nPredicted 20 min 22 s, $2.43; it took 13 min 41 s.\n"
    f"Documents: .workspace/features/{FEATURE}/02-implementation.md .workspace/features/{FEATURE}/01-intent.md"
)
"""As long as the report is: a scripted model cannot repeat what it was told."""


def look_up(*tools: str) -> Call:
    """Tools of MCP servers are looked up before they are called."""
    return Call(name="ToolSearch", input={"query": "select:" + ",".join(f"{TOOL}{tool}" for tool in tools)})


def agent(about: str, prompt: str) -> Call:
    how = {"subagent_type": "general-purpose", "run_in_background": False}
    return Call(name="Agent", input={"description": about, "prompt": prompt, **how})


def subagent(h: Host, unit: str) -> Call:
    """As the skill says it: the prompt names a file. Its folder is not known before; so much of it is."""
    file = h.folder / "trees" / "library-00000000" / f"20261126-000000-{FEATURE}-0000" / f"{unit}-1/io/subagent.md"
    prompt = f"Do all that {file} says. Answer with one line: done, or why not."
    return agent(f"Unit {unit}", prompt)


WORK = """
import glob, json, pathlib, re, shutil, sys
from ropeteam.core.patterns import owns
from ropeteam.demo import playing
unit, trees = sys.argv[1], sys.argv[0].removesuffix("work.py") + "trees"
for name in glob.glob(trees + "/*/*/" + unit + "-1/io/task.json"):
    io = pathlib.Path(name).parent
    task = json.loads((io / "task.json").read_text())
    tree = pathlib.Path(re.search(r"cd '([^']+)'", (io / "subagent.md").read_text())[1])
    finals = playing.finals("house")
    for final in sorted(p for p in finals.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        path = final.relative_to(finals).as_posix()
        if any(owns([pattern], path) for pattern in task["writes"]):
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(final, tree / path)
            print("wrote", path)
"""
"""What the subagent of a unit does: its files as the demo has them."""

DECISION = (
    "Several agents: one would take about 39 minutes, several 20; eight units that know nothing of each other. The"
    " agent is claude, in a sandbox; the project's tests check every step; about $2.43."
)
WAYS: dict[str, Callable[[Host], list[Turn]]] = {"tools": by_tools, "commands": by_commands, "host": by_host}
"""How phase 2 can speak to ropeteam: what the model says in a whole `/2-code`."""


@contextmanager
def host(folder: Path) -> Iterator[Host]:
    """Everything but the plugin: a home, the repository of the demo, the settings of the user."""
    repo = repository.make(folder / "library")
    features = repo / ".workspace" / "features"
    git(repo, "mv", str(features / "house"), str(features / FEATURE))
    git(repo, "commit", "-qm", "Plan the checkout")
    script = folder / "recording.json"
    settings = {
        "agent.name": "scripted",
        "agent.scripted.script": str(script),
        "agent.scripted.time_scale": TIME_SCALE,
    }
    with host_of(folder, repo, settings) as made:
        _record(script, repo, folder)
        (folder / "work.py").write_text(WORK)
        yield made


@contextmanager
def host_of(folder: Path, repo: Path, settings: Mapping[str, Any] | None) -> Iterator[Host]:
    """A user with claude in front of any repository. settings: those of the user for ropeteam; None: there are none."""
    home = folder / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = Test User\n\temail = user@example.org\n")
    if settings is not None:
        lines = {"trees.folder": str(folder / "trees"), **settings}
        place = home / ".config" / "ropeteam" / "ropeteam.toml"
        place.parent.mkdir(parents=True)
        place.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in lines.items()))
    with ModelServer() as server:
        server.script(NAME)
        env = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "TMPDIR": str(folder),
            "ANTHROPIC_API_KEY": "dummy",
            "ANTHROPIC_BASE_URL": server.base_url(NAME),
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }
        yield Host(folder, repo, server, env)


def _record(script: Path, repo: Path, folder: Path) -> None:
    """The recording, for the units that this feature is shared out into."""
    from ropeteam import app
    from ropeteam.testing.script import Script

    recording.write(script, Script(units={}))
    flags = {
        "agent": "scripted",
        "agent.scripted.script": str(script),
        "trees.folder": str(folder / "trees"),
    }
    prepared = app.prepare(app.Request(repo=repo, feature=FEATURE, flags=flags, own_settings=False))
    about = playing.COMPOSED[repository.HOUSE][1]
    work = composing.work_of(playing.finals(repository.HOUSE), prepared.outlook.survey)
    recording.write(script, composing.record(work, prepared.plan, about, sys.executable))
