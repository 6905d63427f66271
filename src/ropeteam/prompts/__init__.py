"""The texts that agents get. The words are in the `.md` files beside this one; here they are put together.

What is the same for all attempts of a run (`shared`) comes first and is the same to the byte, so that providers can
read it from their cache; what is particular (`own`) comes after it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import resources
from string import Template
from typing import Literal

from ropeteam.core.events import Earlier
from ropeteam.core.model import Document, Feature, Kind, Requirement

LONGEST_LOG = 60_000  # characters of one earlier log, about 15,000 tokens: its newest end is kept
SHOWN_REQUIREMENTS = 60

_PARTS: tuple[tuple[str, str], ...] = (
    ("intent", "What is wanted"),
    ("research", "How this project does such things"),
    ("architecture", "The chosen design"),
    ("overview", "What exists already"),
    ("implementation", "What earlier runs did"),
    ("tests", "What earlier tests showed"),
    ("log", "Logs of other phases"),
)
_LOGS = ("implementation", "tests", "log")
_DONE = ("✓", "done", "completed", "complete", "x")


def default_patterns() -> str:
    """The architecture patterns for projects without `.ropeteam/patterns.md`."""
    return _text("patterns")


def shared(feature: Feature, *, base_context: Sequence[tuple[str, str]], patterns: str) -> str:
    """What every attempt of a run reads first. The same arguments give the same bytes: no date, run or tree in it.

    base_context: path and text of the repository's own instructions for agents, from the base commit.
    patterns: `default_patterns()`, or the repository's `.ropeteam/patterns.md` from the base commit.
    """
    parts = [_text("shared"), "# The project's own instructions"]
    parts += [_quoted(path, text) for path, text in base_context if text.strip()] or ["There are none."]
    parts += ["# Architecture patterns", _quoted("patterns.md", patterns)]
    parts.append(f"# The feature: {_one_line(feature.title or feature.name)}")
    for kind, heading in _PARTS:
        documents = [document for document in feature.documents if document.kind == kind]
        if documents:
            parts += [f"## {heading}", *(_document(document) for document in documents)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def own(
    *,
    kind: Kind,
    goal: str,
    feature: Feature,
    tree: str,
    report_file: str,
    earlier: Sequence[Earlier],
    report_by: Literal["file", "structured"],
) -> str:
    """What is particular to one attempt that owns the whole feature: `single`, `rest` or `belay`.

    tree, report_file: absolute. earlier: attempts before it, newest last. report_by: whether the agent writes its
    report to a file or gives it as structured output.
    """
    if kind not in ("single", "rest", "belay"):
        raise ValueError(f"there is no prompt for {kind}")
    report = _text(f"report-{report_by}")
    before = ([_text("rest").strip()] if kind == "rest" else []) + _earlier(earlier)
    return Template(_text("whole")).substitute(
        goal=goal.strip(),
        requirements="".join(f"{part}\n\n" for part in _requirements(feature.requirements)),
        tree=tree,
        before="".join(f"{part}\n\n" for part in before),
        documents=f" in `{feature.folder}`" if feature.folder else "",
        report=Template(report).substitute(report_file=report_file, fields=_text("report-fields").strip()).strip(),
    )


def _requirements(requirements: tuple[Requirement, ...]) -> list[str]:
    done = [item.id for item in requirements if item.status.lower() in _DONE]
    due = [item.id for item in requirements if item.status.lower() not in _DONE]
    sentences = []
    if due:
        sentences.append(f"The requirements to meet: {_names(due)}.")
    if done:
        sentences.append(f"Marked as done already, to be kept working: {_names(done)}.")
    return [" ".join(sentences)] if sentences else []


def _names(ids: Sequence[str]) -> str:
    names = list(dict.fromkeys(ids))
    more = f" and {len(names) - SHOWN_REQUIREMENTS} more" if len(names) > SHOWN_REQUIREMENTS else ""
    return ", ".join(names[:SHOWN_REQUIREMENTS]) + more


def _earlier(earlier: Sequence[Earlier]) -> list[str]:
    if not earlier:
        return []
    parts = [_text("earlier").strip()]
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
    return f"From `{_one_line(path)}`:\n\n{fenced(text, 'markdown')}"


def fenced(text: str, language: str) -> str:
    """Between two lines of backticks, more of them than any run of backticks in the text: nothing in it can end it."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(4, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _text(name: str) -> str:
    return resources.files("ropeteam.prompts").joinpath(f"{name}.md").read_text(encoding="utf-8")
