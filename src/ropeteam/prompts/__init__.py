"""The texts that agents get. The words are in the `.md` files beside this one; here they are put together.

What is the same for all attempts of a run (`shared`) comes first and is the same to the byte, so that providers can
read it from their cache; what is particular (`own`) comes after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ropeteam.core.briefing import Briefing
from ropeteam.core.events import Earlier
from ropeteam.core.model import Document, Feature, Kind, Requirement, Unit
from ropeteam.core.pack import Excerpt
from ropeteam.core.plan import RESERVED
from ropeteam.prompts import others, packs, planning
from ropeteam.prompts import parts as sections
from ropeteam.prompts.markdown import fenced, fill, one_line, text, writable

LONGEST_LOG = 60_000  # characters of one earlier log, about 15,000 tokens: its newest end is kept
SHOWN_REQUIREMENTS = 60

_PARTS: tuple[tuple[str, str], ...] = (
    ("intent", "What is wanted"),
    ("research", "How this project does such things"),
    ("architecture", "The chosen design"),
    ("context", "More of the design"),
    ("tasks", "The tasks it was divided into"),
    ("overview", "What exists already"),
    ("implementation", "What earlier runs did"),
    ("tests", "What earlier tests showed"),
    ("log", "Logs of other phases"),
)
_LOGS = ("implementation", "tests", "log")
_DONE_TASKS: dict[str, str] = {
    "plan": "Your planning",
    "contract": "Your contract",
}
_DONE = ("✓", "done", "completed", "complete", "x")


def default_patterns() -> str:
    """The architecture patterns for projects without `.ropeteam/patterns.md`."""
    return text("patterns")


def shared(
    feature: Feature, *, base_context: Sequence[tuple[str, str]], patterns: str, repository_map: str = ""
) -> str:
    """What every attempt of a run reads first. The same arguments give the same bytes: no date, run or tree in it.

    base_context: path and text of the repository's own instructions for agents, from the base commit.
    patterns: `default_patterns()`, or the repository's `.ropeteam/patterns.md` from the base commit.
    repository_map: of the base commit (`ropeteam.packing`), empty for none.
    """
    parts = [text("shared"), "# The project's own instructions"]
    parts += [_quoted(path, text) for path, text in base_context if text.strip()] or ["There are none."]
    parts += ["# Architecture patterns", _quoted("patterns.md", patterns)]
    parts.append(f"# The feature: {one_line(feature.title or feature.name)}")
    for kind, heading in _PARTS:
        documents = [document for document in feature.documents if document.kind == kind]
        if documents:
            parts += [f"## {heading}", *(_document(document) for document in documents)]
    if due := sections.parts(feature):
        parts.append(due)
    if drawn := packs.repository_map(repository_map):
        parts.append(drawn)
    return writable("\n\n".join(part.strip("\n") for part in parts) + "\n")


def own(
    *,
    kind: Kind,
    goal: str,
    feature: Feature,
    tree: str,
    report_file: str,
    earlier: Sequence[Earlier],
    report_by: Literal["file", "structured"],
    briefing: Briefing | None = None,
    repository_map: str = "",
    excerpts: Sequence[Excerpt] = (),
    thinking: bool = False,
    hosted: bool = False,
) -> str:
    """What is particular to one attempt. Raises ValueError for one that has no prompt here.

    goal: in words; of a unit its own goal comes first, where it has one. tree, report_file: absolute. earlier: attempts
    before it, newest last. report_by: whether the agent writes its report to a file or gives it as structured output.
    briefing: what it is told of the plan and the others; for `contract` and `unit` with their own unit in it.
    repository_map: as in `shared`, for one that is given it and others are not; it comes first.
    excerpts: what was read for it of the files that it needs, for `contract` and `unit` (`ropeteam.packing`).
    thinking: of who plans, whether it has an MCP server to think with. hosted: it is a host's subagent, whose own
    folder is another one than its tree.
    """
    told = briefing or Briefing()
    if kind == "plan":
        place = workplace("tree-plan", tree, hosted=hosted)
        return _after(repository_map, _plan(feature, place, report_by, report_file, earlier, told, thinking))
    values = {
        "workplace": workplace("tree", tree, hosted=hosted),
        "asked": others.asked(told),
        "care": fill(
            "care",
            documents=f" in `{feature.folder}`" if feature.folder else "",
            report=_report(report_by, report_file, asks=kind in ("contract", "unit")),
        ),
    }
    match kind, told.unit:
        case "single" | "rest" | "belay", _:
            prompt = _whole(kind, goal, feature, earlier, told, values)
        case "contract" | "unit", Unit() as unit:
            prompt = _unit(kind, unit, goal, feature, earlier, told, values, packs.excerpts(excerpts))
        case _:
            raise ValueError(f"there is no prompt for {kind} without its unit")
    return _after(repository_map, prompt)


def _after(repository_map: str, prompt: str) -> str:
    drawn = packs.repository_map(repository_map).strip("\n")
    return writable(f"{drawn}\n\n{prompt}\n" if drawn else f"{prompt}\n")


def workplace(name: str, tree: str, *, hosted: bool) -> str:
    """Where it works. A host's subagent is told how, too: its own folder is not its tree."""
    parts = [fill(name, tree=tree).strip()] + ([fill("tree-host", tree=tree).strip()] if hosted else [])
    return "\n\n".join(parts)


def to_subagent(prompt_file: str, tree: str, kind: Kind) -> str:
    """What a host tells its subagent: where its task stands, and where it works. Short, because it goes through the
    host's own conversation."""
    what = "It plans and changes nothing." if kind == "plan" else f"Change files in {tree} and nowhere else."
    return fill("host", prompt_file=prompt_file, tree=tree, what=what).strip()


def forked(own: str, *, done: Kind, tree: str, before: str) -> str:
    """The prompt of an attempt that goes on from the conversation of another, which has read the project. own: what it
    would be told otherwise. done: the other's task. tree, before: where its own work tree is and where the other's
    was, as each saw it; the same in a sandbox."""
    place = fill("fork-same" if tree == before else "fork-other", tree=tree, before=before)
    return writable(f"{fill('fork', done=_DONE_TASKS.get(done, 'Your last task'), place=place)}\n\n{own}")


def _whole(
    kind: str, goal: str, feature: Feature, earlier: Sequence[Earlier], told: Briefing, values: dict[str, str]
) -> str:
    """The prompt of one that owns the whole feature."""
    done = [fill("rest", validated=_validated(told)), others.left(told)] if kind == "rest" else []
    before = [*done, values.pop("asked"), *_earlier(earlier)]
    return fill(
        "whole",
        goal=goal.strip(),
        requirements=_requirements(feature.requirements),
        before="\n\n".join(part for part in before if part),
        order=others.order(told.batches, sections.whole(feature)),
        **values,
    )


def _validated(told: Briefing) -> str:
    there = others.validated(told)
    return f"Validated so far:\n\n{there}" if there else ""


def _unit(
    kind: str,
    unit: Unit,
    goal: str,
    feature: Feature,
    earlier: Sequence[Earlier],
    told: Briefing,
    values: dict[str, str],
    read: str,
) -> str:
    """The prompt of one that owns a part. What all units are told of the plan stands first: see `others.plan`.

    read: what was read for it, as it is told.
    """
    if kind == "unit":
        values["others"] = others.others(told)
    task = fill(
        kind,
        goal=(unit.goal.strip() or one_line(unit.title) or goal.strip()),
        unit=unit.id,
        feature=one_line(feature.subject),
        requirements=f"It serves {_names(unit.requirements)}." if unit.requirements else "",
        yours=others.yours(unit),
        reads=others.reads(unit),
        before="\n\n".join(_earlier(earlier)),
        **values,
    )
    return "\n\n".join([*others.plan(told), *([read] if read else []), task])


def _plan(
    feature: Feature,
    workplace: str,
    report_by: Literal["file", "structured"],
    report_file: str,
    earlier: Sequence[Earlier],
    told: Briefing,
    thinking: bool,
) -> str:
    """The prompt of one that plans and does nothing else."""
    count = told.workers
    faults = [one.problem.strip() for one in earlier if one.problem.strip()][-1:]
    reporting = {"report_file": report_file} if report_by == "file" else {}
    return fill(
        "plan",
        feature=one_line(feature.title or feature.name),
        workers="several agents" if count < 2 else f"{count} agents",
        count="two to four" if count < 2 else str(count),
        requirements=_requirements(feature.requirements),
        workplace=workplace,
        known=planning.known(told.survey),
        before="\n\n".join([text("earlier-plan").strip(), fenced(faults[0], "text")]) if faults else "",
        thinking=planning.thinking(thinking),
        reserved=", ".join(f"`{id}`" for id in RESERVED),
        report=fill(f"report-plan-{report_by}", **reporting),
    )


def _report(report_by: Literal["file", "structured"], report_file: str, *, asks: bool) -> str:
    """How to report. asks: whether there are files of others, in which it may need something."""
    fields = text("report-fields").strip()
    if asks:
        fields += "\n" + text("report-requests").strip()
    if report_by == "structured":
        requests = ", and `requests` (`path`, `what`)" if asks else ""
        return fill("report-structured", fields=fields, requests=requests)
    example = ',\n "requests": [{"path": "a file that is not yours", "what": "exactly what it needs there"}]'
    return fill("report-file", fields=fields, report_file=report_file, requests=example if asks else "")


def _requirements(requirements: tuple[Requirement, ...]) -> str:
    done = [item.id for item in requirements if item.status.lower() in _DONE]
    due = [item.id for item in requirements if item.status.lower() not in _DONE]
    sentences = []
    if due:
        sentences.append(f"The requirements to meet: {_names(due)}.")
    if done:
        sentences.append(f"Marked as done already, to be kept working: {_names(done)}.")
    return " ".join(sentences)


def _names(ids: Sequence[str]) -> str:
    names = list(dict.fromkeys(ids))
    more = f" and {len(names) - SHOWN_REQUIREMENTS} more" if len(names) > SHOWN_REQUIREMENTS else ""
    return ", ".join(names[:SHOWN_REQUIREMENTS]) + more


def _earlier(earlier: Sequence[Earlier]) -> list[str]:
    if not earlier:
        return []
    parts = [text("earlier").strip()]
    for one in earlier:
        kept = f" Its work is kept under `{one.ref}`." if one.ref else ""
        parts.append(f"Attempt {one.attempt} did not pass.{kept} Why:\n\n{fenced(one.problem, 'text')}")
    return parts


def _document(document: Document) -> str:
    text = document.text
    if document.kind in _LOGS and len(text) > LONGEST_LOG:
        start = text.find("\n", len(text) - LONGEST_LOG) + 1
        text = f"[the first {start} characters are left out here]\n{text[start:]}"
    return _quoted(document.path, text)


def _quoted(path: str, text: str) -> str:
    return f"From `{one_line(path)}`:\n\n{fenced(text, 'markdown')}"
