"""`--agent mini-swe-agent`: mini-swe-agent without a terminal; what counts stands in the trajectory file it leaves.

As seen with 2.4.6 against the loopback model server: it ends with 0 or 1 and says why in the trajectory
(`info.exit_status`: `Submitted`, `LimitsExceeded`, or the name of the error that ended it), which it writes after every
step; tokens stand in each answer there, money in `info.model_stats`. Its work is done by shell commands only, so it
writes the report file like any other file. It repeats a refused request with growing waits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from ropeteam.agents import endings, litellm_keys, preset, program, refusals
from ropeteam.agents.provider_words import refusal, status_of
from ropeteam.core.model import Outcome, Usage
from ropeteam.core.settings import AgentSettings
from ropeteam.ports import Abilities, Conversation, Exit, Finish, Launch, Probe, Said, Task

ENVIRONMENT: Final = {
    **litellm_keys.ENVIRONMENT,
    "PYTHONUNBUFFERED": "1",
    # Else its first start asks questions.
    "MSWEA_CONFIGURED": "true",
    "MSWEA_SILENT_STARTUP": "1",
    # A model without a price is no error.
    "MSWEA_COST_TRACKING": "ignore_errors",
    # About half a minute of its own waiting; 10 tries, its default, are several minutes.
    "MSWEA_MODEL_RETRY_STOP_AFTER_ATTEMPT": "4",
}

SETTINGS: Final = ".config/mini-swe-agent"
"""Below the home folder: its settings, with keys."""

TASK: Final = "task.yaml"
"""The prompt, as a part of its settings: an argument of a program may have 128 kB at most."""

TRAJECTORY: Final = "trajectory.json"
TRAJECTORY_BYTES: Final = 200_000_000
"""It holds every answer twice, with all of a command's output; one past this size is not read."""

_MODEL: Final = ("--model", "MSWEA_MODEL_NAME")
_HINT = "Install it (pipx install mini-swe-agent), or say where it is with agent.mini-swe-agent.argv."
_STEP = re.compile(r"^mini-swe-agent \(step (?P<step>\d+), \$(?P<cost>[\d.]+)\):")
_RETRY = re.compile(r"^Retrying .{0,80} in (?P<seconds>\d+(?:\.\d+)?) seconds as it raised (?P<why>\w+: .*)")


class MiniSweAgent:
    """Builds command lines for `mini`."""

    name = "mini-swe-agent"
    report_by: Literal["file", "structured"] = "file"
    attaches = False
    abilities = Abilities(
        budget=True,
        turns=True,
        usage="cost",
        note="It runs any command without asking: only the sandbox holds it back.",
    )

    def build(self, task: Task) -> Launch:
        settings = task.settings
        prompt = endings.whole_prompt(task)
        argv = [*(settings.argv or ("mini-swe-agent",)), "-y", "--exit-immediately"]
        argv += ["-c", "mini.yaml", "-c", str(task.folder / TASK), "-o", str(task.folder / TRAJECTORY)]
        if settings.model:
            argv += ["-m", settings.model]
        # 0 is no limit, which it has of its own otherwise ($3).
        argv += ["-l", "0" if task.budget_usd is None else f"{max(task.budget_usd, 0.0001):.4f}"]
        if task.turns is not None:
            argv += ["-c", f"agent.step_limit={task.turns}"]
        env = {**ENVIRONMENT, **settings.env}
        return Launch(
            argv=endings.both_outputs(argv),  # that it waits and tries again stands in its error output
            env=env,
            files={str(task.prompt_file): prompt, str(task.folder / TASK): _task(prompt)},
            pass_env=tuple(name for name in (*litellm_keys.variables(_models(settings)), _MODEL[1]) if name not in env),
            home_readonly=(SETTINGS,),
            readable=preset.readable(argv),
        )

    def listen(self, task: Task) -> Conversation:
        return MiniConversation(task)

    def probe(self, settings: AgentSettings, env: Mapping[str, str], *, trusted: bool = True) -> Probe:  # noqa: ARG002
        found = preset.probe(self.name, settings, env, _HINT, "mini-swe-agent")
        file = Path(env.get("HOME", "/")) / SETTINGS / ".env"
        whose, key = litellm_keys.missing(_models(settings), {**env, **settings.env})
        if found.problem or file.exists() or not key:
            return found
        problem = f"mini-swe-agent has no key of {whose}: none in the environment, no {file}."
        hint = f"Run `mini-extra config setup`, or set one, for example {key}."
        return msgspec.structs.replace(found, log_in=True, problem=problem, hint=hint)


def _models(settings: AgentSettings) -> tuple[str, ...]:
    return litellm_keys.models(settings, _MODEL)


def _task(prompt: str) -> str:
    """Its settings, in JSON, which is YAML."""
    return msgspec.json.encode({"run": {"task": prompt}}).decode()


class _Extra(msgspec.Struct, frozen=True, kw_only=True):
    response: Any = None
    exception_str: Any = None
    traceback: Any = None


class _Message(msgspec.Struct, frozen=True, kw_only=True):
    role: Any = None
    content: Any = None
    extra: _Extra = _Extra()


class _Stats(msgspec.Struct, frozen=True, kw_only=True):
    instance_cost: float = 0.0
    api_calls: int = 0


class _Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Of 0 is none."""

    step_limit: int = 0
    cost_limit: float = 0.0


class _Config(msgspec.Struct, frozen=True, kw_only=True):
    agent: _Limits = _Limits()


class _Info(msgspec.Struct, frozen=True, kw_only=True):
    exit_status: str = ""
    model_stats: _Stats = _Stats()
    config: _Config = _Config()


class Trajectory(msgspec.Struct, frozen=True, kw_only=True):
    """What it leaves, as far as it matters here."""

    info: _Info = _Info()
    messages: tuple[_Message, ...] = ()

    @property
    def usage(self) -> Usage:
        """Tokens of all answers together."""
        counts = [_counts(message.extra.response) for message in self.messages]
        spent = [(given, cached, output) for given, cached, output in counts if given or output]
        return Usage(
            input=sum(given - cached for given, cached, _ in spent),
            cached=sum(cached for _, cached, _ in spent),
            output=sum(output for _, _, output in spent),
            context_used=sum(spent[-1][::2]) if spent else 0,
            cost_usd=max(0.0, self.info.model_stats.instance_cost),
        )

    @property
    def answered_with_nothing(self) -> bool:
        """Whether it fell over an answer without any content, which it does not look for (2.4.6)."""
        last = self.messages[-1].extra.traceback if self.messages else None
        return self.info.exit_status == "IndexError" and isinstance(last, str) and "response.choices[0]" in last

    @property
    def last_words(self) -> str:
        """Of the error that ended it, or its last message."""
        last = self.messages[-1] if self.messages else _Message()
        words = last.extra.exception_str or last.content
        return " ".join(words.split())[:400] if isinstance(words, str) else ""


def _counts(response: Any) -> tuple[int, int, int]:
    """Tokens of the prompt, of it those from the cache, and of the answer."""
    usage = response.get("usage") if isinstance(response, dict) else None
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else 0
    given = _count(usage.get("prompt_tokens"))
    return given, min(cached, given), _count(usage.get("completion_tokens"))


def _count(value: object) -> int:
    return max(0, value) if isinstance(value, int) and not isinstance(value, bool) else 0


def read_trajectory(path: Path) -> tuple[Trajectory | None, str]:
    """The trajectory, and why it cannot be read. Without a file: None, and no problem."""
    try:
        if path.is_symlink() or not path.is_file():
            return None, ""
        if path.stat().st_size > TRAJECTORY_BYTES:
            return None, f"Its trajectory is larger than {TRAJECTORY_BYTES:,} bytes."
        return msgspec.json.decode(path.read_bytes(), type=Trajectory), ""
    except OSError as error:
        return None, f"Its trajectory cannot be read: {error.strerror}."
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return None, f"Its trajectory cannot be read: {error}."


class MiniConversation:
    """Shows its steps; the verdict is in the trajectory."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._cost = 0.0
        self._speaks = False
        self._began = False
        """Whether the model has answered: from then on a line may be what it said, or printed by a command of its."""
        self._saved = False

    def parse(self, line: bytes) -> Sequence[Said]:
        text = line.decode(errors="replace").strip()
        if step := _STEP.match(text):
            self._speaks = self._began = True
            self._cost = float(step["cost"]) if step["cost"].count(".") == 1 else self._cost
            return (Said(kind="usage", usage=Usage(cost_usd=self._cost)),)
        if retry := _RETRY.match(text):
            status, seconds = 0 if self._began else status_of(retry["why"]), float(retry["seconds"])
            return (Said(kind="retry", text=retry["why"][:160], status=status, seconds=seconds),)
        if text.startswith("Saved trajectory to"):
            self._saved = True
            return (Said(kind="end", text="saved its trajectory"),)
        if not text or not self._speaks:
            return ()
        self._speaks = False  # the first line of what it says is enough
        return (Said(kind="text", text=text[:160]),)

    def finish(self, exit: Exit, now: float) -> Finish:
        trajectory, unread = read_trajectory(self._task.folder / TRAJECTORY)
        report, problem = program.read_report(self._task.report_file)
        if self._task.kind != "plan":
            report = msgspec.structs.replace(report, plan="")
        outcome, evidence = _verdict(exit, trajectory)
        if outcome == "ok" and not (self._saved and trajectory):
            outcome, evidence = "unknown", "It ended without leaving a trajectory."
        if outcome == "ok" and (problem or unread):
            outcome, evidence = "corrupted", problem or unread
        return Finish(
            outcome=outcome,
            usage=trajectory.usage if trajectory else Usage(cost_usd=self._cost),
            report=endings.inside(report, self._task.tree),
            evidence=evidence,
            retry_at=refusals.retry_at(evidence, now) if outcome in ("rate", "overload") else None,
            notices=() if trajectory else ("What it cost is not known: it ended without a trajectory.",),
        )


def _verdict(exit: Exit, trajectory: Trajectory | None) -> tuple[Outcome, str]:
    ended = endings.stopped(exit)
    if ended is not None:
        return ended.outcome, ended.evidence
    outcome, evidence = endings.exit_code(exit)
    status = trajectory.info.exit_status if trajectory else ""
    if trajectory is None or outcome not in ("ok", "crashed") or status == "Submitted":
        return outcome, evidence
    words = f"It gave up after {exit.seconds:.0f} s: {status}. {trajectory.last_words}".strip()
    if status == "LimitsExceeded":
        return _limit(trajectory)
    if status == "EOFError":  # it asks a person what to do then
        return "killed", f"It was interrupted (SIGINT) after {exit.seconds:.0f} s."
    if trajectory.answered_with_nothing:
        return "overload", f"Its model answered with nothing: {words}"
    if status == "ContextWindowExceededError":
        return "context", words
    return refusal(f"{status} {trajectory.last_words}") or "crashed", words


def _limit(trajectory: Trajectory) -> tuple[Outcome, str]:
    """Which of its two limits it reached: it does not say. Money first: after it nothing can go on."""
    stats, limits = trajectory.info.model_stats, trajectory.info.config.agent
    spent = f"{stats.api_calls} steps, ${stats.instance_cost:.2f} spent"
    if 0 < limits.step_limit <= stats.api_calls and not 0 < limits.cost_limit <= stats.instance_cost:
        return "turns", f"It reached its limit of {limits.step_limit} steps ({spent})."
    return "budget", f"It reached its limit of money ({spent})."
