"""What all attempts of a run are told of the sections (parts, extensions, changes) that it is about."""

from __future__ import annotations

from ropeteam.core.model import Feature, Section
from ropeteam.prompts.markdown import code, codes, fill

SHOWN_SECTIONS = 40
SHOWN_REQUIREMENTS = 60


def parts(feature: Feature) -> str:
    """What is due now, what is done and what comes later; empty for a run on the whole feature."""
    if not feature.chosen:
        return ""
    document = next((d.path for d in feature.documents if d.kind == "intent"), "")
    done = [s for s in feature.sections if s.status == "done" and s.name not in feature.selected]
    later = [s for s in feature.sections if s.status != "done" and s.name not in feature.selected]
    return fill(
        "parts",
        order=", in this order" if len(feature.chosen) > 1 else "",
        selected="\n".join(_due(section, document) for section in feature.chosen),
        done=fill("parts-done", sections=_named(done)) if done else "",
        later=fill("parts-later", sections=_named(later)) if later else "",
    )


def whole(feature: Feature) -> str:
    """What one agent does, as part of a sentence."""
    if not feature.selected:
        return "the whole feature"
    return f"all of {codes(feature.selected, SHOWN_SECTIONS)}"


def _due(section: Section, document: str) -> str:
    ids = codes(tuple(dict.fromkeys(section.requirements)), SHOWN_REQUIREMENTS)
    return f"- {section.kind} {code(section.name)}, line {section.line} of {code(document)}" + (
        f": {ids}" if ids else ""
    )


def _named(sections: list[Section]) -> str:
    return ", ".join(f"{section.kind} {code(section.name)}" for section in sections[:SHOWN_SECTIONS]) + (
        f" and {len(sections) - SHOWN_SECTIONS} more" if len(sections) > SHOWN_SECTIONS else ""
    )
