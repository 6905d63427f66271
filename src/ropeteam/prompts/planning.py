"""What an agent that plans is told of the work, as parts of its prompt: `ropeteam.core.survey` in words."""

from __future__ import annotations

from ropeteam.core.survey import PlannedFile, Survey
from ropeteam.prompts.markdown import code, fill, item, items, one_line, text

SHOWN_FILES = 200
SHOWN_DEPENDENCIES = 100
SHOWN_STEPS = 40
SHOWN_UNRESOLVED = 20
WORTH_TELLING = 0.2  # less likely dependencies are noise to who can read the code


def known(survey: Survey) -> str:
    """What was found without a model; empty where nothing was."""
    parts = {
        "files": _files(survey),
        "dependencies": _dependencies(survey),
        "steps": _steps(survey),
        "unresolved": _unresolved(survey),
    }
    return fill("known", **parts) if any(parts.values()) else ""


def _files(survey: Survey) -> str:
    if not survey.files:
        return ""
    head = "Files that the documents name:" if survey.named else "Files that it may be about, a guess:"
    return f"{head}\n\n" + items((_file(file) for file in survey.files), SHOWN_FILES)


def _file(file: PlannedFile) -> str:
    facts = [{"A": "new", "M": "changed", "D": "deleted"}[file.status]]
    if file.lines is not None:
        facts.append(f"about {file.lines} lines added")
    if file.hub:
        facts.append("many parts want a line in it")
    if file.requirements:
        facts.append(", ".join(file.requirements))
    return item(f"{code(file.path)} ({'; '.join(facts)})", file.purpose)


def _dependencies(survey: Survey) -> str:
    strongest = sorted(survey.dependencies, key=lambda edge: -edge.likelihood)
    told = [edge for edge in strongest if edge.likelihood >= WORTH_TELLING]
    lines = [item(f"{code(edge.path)} on {code(edge.on)} ({edge.likelihood:.0%})", edge.evidence) for edge in told]
    return "What probably builds on what:\n\n" + items(lines, SHOWN_DEPENDENCIES) if lines else ""


def _steps(survey: Survey) -> str:
    lines = [f"- step {step.number}: {one_line(step.text)}" for step in survey.steps if step.text.strip()]
    return "The documents' own order:\n\n" + items(lines, SHOWN_STEPS) if lines else ""


def _unresolved(survey: Survey) -> str:
    lines = [f"- {one_line(words)}" for words in survey.unresolved]
    lines += [f"- No file is named for {id}." for id in survey.uncovered]
    return "Not understood, find it out:\n\n" + items(lines, SHOWN_UNRESOLVED) if lines else ""


def thinking(with_tool: bool) -> str:
    return text("thinking-tool" if with_tool else "thinking-steps").strip()
