"""`--agent aider`: aider without a terminal, with one message, read by its plain text.

As seen with 0.86.2 against the loopback model server: it ends with 0 whatever happens, and what the provider said
stands in its output; it tells tokens and money as a line after each answer; it repeats a refused request for a minute.

- It commits nothing (`--no-auto-commits --no-dirty-commits`): the work tree is the result. Its repository map is off,
  because it would leave a folder in the work tree; files that a unit owns or should read are added by name.
- Nobody can be asked: `--yes-always`. It suggests no shell commands, lints nothing and opens no addresses.
- Its histories go into the attempt's folder. It makes `~/.aider` for a cache of prices, which it fetches by itself.
- It writes no file outside the repository, so the report is asked for as a line of its last answer (a block of JSON
  could be taken for a file), which is read from the history it keeps of its requests. Who plans is asked in aider's
  `ask` mode: the plan is the answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from ropeteam.agents import endings, litellm_keys, preset, program, refusals
from ropeteam.agents.provider_words import refusal, status_of
from ropeteam.core.agent_files import ReportFile
from ropeteam.core.model import AgentReport, Outcome, Usage
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Abilities, Conversation, Exit, Finish, Launch, Probe, Said, Task

_OPTIONS: Final = """
    --yes-always --no-auto-commits --no-dirty-commits --no-gitignore --map-tokens 0 --no-check-update --no-analytics
    --no-show-release-notes --no-show-model-warnings --no-suggest-shell-commands --no-detect-urls --no-auto-lint
    --no-auto-test --no-pretty --no-stream --no-fancy-input --no-notifications --disable-playwright
"""

SETTINGS: Final = tuple(f".aider{name}" for name in (".conf.yml", ".model.settings.yml", "/oauth-keys.env"))
"""Below the home folder, what it reads."""

MOST_FILES: Final = 20
"""So many files are added by name at most: it puts each one whole into every request."""

MARK: Final = "ROPETEAM-REPORT:"

_MODEL: Final = ("--model", "AIDER_MODEL")
_BESIDE: Final = {"--weak-model": "AIDER_WEAK_MODEL", "--editor-model": "AIDER_EDITOR_MODEL"}
_HINT = "Install it (pipx install aider-chat), or say where it is with agent.aider.argv."
_decoder = msgspec.json.Decoder(ReportFile)
_USAGE = re.compile(
    r"^Tokens: (?P<sent>[\d.]+[kM]?) sent(?:, (?P<written>[\d.]+[kM]?) cache write)?"
    r"(?:, (?P<hit>[\d.]+[kM]?) cache hit)?, (?P<received>[\d.]+[kM]?) received\."
)
_COST = re.compile(r"\bCost: \$[\d.]+ message, \$(?P<session>[\d.]+) session\.")
"""Behind the tokens, or on a line of its own."""

_FAILED = re.compile(r"^(?:(?:litellm\.)?[A-Z]\w*(?:Error|Exceeded)\b[:.]|Cmd\('git'\) failed due to)")
"""A provider's error, or git's after the answer: for a path outside of the repository. Then nothing is edited."""
_DENIED = re.compile(r"^Unable to create (?P<path>.+), skipping edits")
_RETRY = re.compile(r"^Retrying in (?P<seconds>[\d.]+) seconds")
_CONTEXT = re.compile(
    r"exceeds the .{0,60}token limit|has hit a token limit|exceeded? (?:its|the) context window", re.I
)
_APPLIED = re.compile(r"^Applied edit to ")
_NOISE = re.compile(
    r"^(Analytics|Update git (name|email)|HTTPSConnectionPool|Aider v|Git repo|Repo-map|(Main|Weak|Editor) model)"
)
_UNITS: Final = {"k": 1_000, "M": 1_000_000}


class AiderAgent:
    """Builds command lines for aider."""

    name = "aider"
    report_by: Literal["file", "structured"] = "structured"
    attaches = False
    abilities = Abilities(
        usage="cost",
        note="It runs no commands, so no tests; it edits without asking: only the sandbox holds it back.",
    )

    def build(self, task: Task) -> Launch:
        settings = task.settings
        prompt = endings.whole_prompt(task)
        message = task.folder / "aider-message.md"
        argv = [*(settings.argv or ("aider",)), *_OPTIONS.split(), "--message-file", str(message)]
        for option, name in (("input", "aider-input"), ("chat", "aider-chat.md"), ("llm", "aider-llm.txt")):
            argv += [f"--{option}-history-file", str(task.folder / name)]
        if settings.model:
            argv += ["--model", settings.model]
        if task.kind == "plan":
            argv += ["--chat-mode", "ask"]
        for option, paths in (("--file", task.writes), ("--read", task.reads)):
            argv += [part for path in _files(task.tree, paths) for part in (option, path)]
        env = {**litellm_keys.ENVIRONMENT, **settings.env}
        return Launch(
            argv=tuple(argv),
            env=env,
            files={str(task.prompt_file): prompt, str(message): prompt + _asked(task)},
            pass_env=tuple(name for name in (*litellm_keys.variables(_models(settings)), _MODEL[1]) if name not in env),
            home_readonly=SETTINGS,
            readable=preset.readable(argv),
        )

    def listen(self, task: Task) -> Conversation:
        return AiderConversation(task)

    def probe(self, settings: AgentSettings, env: Mapping[str, str], *, trusted: bool = True) -> Probe:  # noqa: ARG002
        found = preset.probe(self.name, settings, env, _HINT, "aider-chat")
        home = Path(env.get("HOME", "/"))
        files = any((home / name).exists() for name in SETTINGS)
        whose, key = litellm_keys.missing(_models(settings), {**env, **settings.env})
        if found.problem or files or not key:
            return found
        problem = f"aider has no key of {whose}: none in the environment, no ~/.aider.conf.yml."
        return msgspec.structs.replace(found, log_in=True, problem=problem, hint=f"Set one, for example {key}.")


def _models(settings: AgentSettings) -> tuple[str, ...]:
    return litellm_keys.models(settings, _MODEL, _BESIDE)


def _asked(task: Task) -> str:
    """How the report is to be given, in words that go with any of its formats for edits."""
    what = "plan" if task.kind == "plan" else "report"
    return (
        f"\nThe structured form of the {what}: one single line at the very end of your last message. It begins with "
        f"`{MARK}` and goes on with the JSON document, without line breaks, not in a file and not in a code block.\n"
    )


def _files(tree: Path, patterns: Sequence[str]) -> list[str]:
    """Of the patterns those that name one file that is there."""
    plain = [pattern.lstrip("/") for pattern in patterns if not set(pattern) & set("*?[]!\\")]
    there = [path for path in plain if path and (tree / path).is_file()][:MOST_FILES]
    return [f"./{path}" if path.startswith("-") else path for path in there]  # else it would be an option


class AiderConversation:
    """Reads what it prints. A provider's refusal counts only when nothing came after it: no answer, no edit."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._usage = Usage()
        self._failed = ""
        self._answered = False
        self._empty = False
        """Whether its model's last answer had no content."""
        self._interrupted = False
        """By SIGINT, since the last answer: then it ends with 0 as well."""

    def parse(self, line: bytes) -> Sequence[Said]:
        text = line.decode(errors="replace").strip()
        if not text or _NOISE.match(text):
            return ()
        counted, cost = _USAGE.match(text), _COST.search(text)
        if counted or cost:
            self._failed, self._interrupted = "", False
            self._count(counted, cost)
            if counted:
                self._empty = not _tokens(counted["received"])
            if self._empty:
                return (Said(kind="usage", usage=self._usage),)
            self._answered = True
            return (Said(kind="usage", usage=self._usage), Said(kind="end", text="an answer"))
        if retry := _RETRY.match(text):
            status, seconds = 0 if self._answered else status_of(self._failed), _number(retry["seconds"])
            return (Said(kind="retry", text=(self._failed or text)[:160], status=status, seconds=seconds),)
        self._interrupted |= text.startswith("^C again to exit")
        if denied := _DENIED.match(text):
            return (Said(kind="denied", text=f"create {denied['path']}"[:160]),)
        if _FAILED.match(text) or _CONTEXT.search(text):
            self._failed = text[:400]
        elif _APPLIED.match(text):
            self._failed = ""
        elif self._failed:
            self._failed = f"{self._failed} {text}"[:400]
        return (Said(kind="text", text=text[:160]),)

    def _count(self, told: re.Match[str] | None, cost: re.Match[str] | None) -> None:
        """Tokens are told since the last time, money of the whole conversation."""
        if cost:
            self._usage = msgspec.structs.replace(self._usage, cost_usd=_number(cost["session"]))
        if told:
            cached = _tokens(told["hit"])
            sent = max(0, _tokens(told["sent"]) - cached)  # what was read from the cache is in what was sent
            self._usage = msgspec.structs.replace(
                self._usage,
                input=self._usage.input + sent,
                cached=self._usage.cached + cached,
                output=self._usage.output + _tokens(told["received"]),
            )

    def finish(self, exit: Exit, now: float) -> Finish:
        outcome, evidence = self._verdict(exit)
        report, problem = self._report()
        if problem and outcome == "ok":
            outcome, evidence = "corrupted", problem
        missing = outcome == "ok" and self._task.kind != "plan" and report == AgentReport()
        return Finish(
            outcome=outcome,
            usage=self._usage,
            report=endings.inside(report, self._task.tree),
            evidence=evidence,
            retry_at=refusals.retry_at(evidence, now) if outcome in ("rate", "overload") else None,
            notices=("It left no report of what it did.",) if missing else (),
        )

    def _report(self) -> tuple[AgentReport, str]:
        """Its report, and why it cannot be read. Of who plans, the plan: what is behind the mark, else all of it."""
        answer = self._answer()
        given = next((line for line in reversed(answer.splitlines()) if MARK in line), "").partition(MARK)[2]
        if self._task.kind == "plan":
            return AgentReport(plan=given.strip() or answer), ""
        if not given:
            return AgentReport(), ""
        try:
            return _decoder.decode(given.strip().strip("`")).report(), ""
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return AgentReport(), f"Its report cannot be read: {error}."

    def _verdict(self, exit: Exit) -> tuple[Outcome, str]:
        ended = endings.stopped(exit)
        if ended is not None:
            return ended.outcome, ended.evidence
        outcome, evidence = endings.exit_code(exit)
        if outcome == "ok" and self._interrupted:
            return "killed", f"It was interrupted (SIGINT) after {exit.seconds:.0f} s."
        if outcome == "ok" and self._empty and not self._failed:
            return "overload", f"Its model answered with nothing. {evidence}"
        if outcome not in ("ok", "crashed") or not self._failed:
            silent = outcome == "ok" and not self._answered
            return ("unknown", "It ended without an answer of its model.") if silent else (outcome, evidence)
        found = "context" if _CONTEXT.search(self._failed) else refusal(self._failed)
        return found or "crashed", f"It gave up after {exit.seconds:.0f} s: {self._failed}"

    def _answer(self) -> str:
        """Its last answer, whole, from the history that it keeps of its requests."""
        try:
            text = (self._task.folder / "aider-llm.txt").read_bytes()[-program.REPORT_BYTES :].decode(errors="replace")
        except OSError:
            return ""
        last = text.rpartition("\nLLM RESPONSE ")[2].splitlines()[1:]
        return "\n".join(line.removeprefix("ASSISTANT ").removeprefix("ASSISTANT") for line in last)


def _tokens(text: str | None) -> int:
    """`1.2k` as 1200."""
    if not text:
        return 0
    unit = _UNITS.get(text[-1], 1)
    return int(_number(text.rstrip("kM")) * unit)


def _number(text: str) -> float:
    try:
        return float(text.rstrip("."))
    except ValueError:
        return 0.0
