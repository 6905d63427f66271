"""What a structured report must look like, as the model is told by its agent: of work, and of a plan."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final

import msgspec

from ropeteam.core.model import Kind
from ropeteam.core.plan_document import PlanDocument


class ReportedFile(msgspec.Struct, frozen=True, kw_only=True):
    path: Annotated[str, msgspec.Meta(description="relative to the root of the repository")]
    purpose: Annotated[str, msgspec.Meta(description="what it is for, or what was changed in it, in one line")]


class ReportedDecision(msgspec.Struct, frozen=True, kw_only=True):
    decision: str
    rationale: str


class ReportedDeviation(msgspec.Struct, frozen=True, kw_only=True):
    what: Annotated[str, msgspec.Meta(description="what was done otherwise than asked, or left undone")]
    why: str


class ReportedRequest(msgspec.Struct, frozen=True, kw_only=True):
    path: Annotated[str, msgspec.Meta(description="the file, relative to the root of the repository")]
    what: Annotated[str, msgspec.Meta(description="exactly what is needed there")]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    files: Annotated[list[ReportedFile], msgspec.Meta(description="every file created, modified or deleted")]
    decisions: list[ReportedDecision]
    deviations: list[ReportedDeviation]
    requests: Annotated[
        list[ReportedRequest],
        msgspec.Meta(description="what is needed in files that are not yours to write, where there are such files"),
    ] = []


_ASKED: Final = {
    "PlanDocument": ("units", "contract", "files", "confidence"),
    "UnitDocument": ("id", "title", "goal", "kind", "needs", "provides", "writes", "reads", "requirements"),
    "FileDocument": ("path", "status", "lines", "purpose", "needs"),
    "Confidence": ("value", "reasons"),
}
"""Of a plan document, what a planner is asked for: batches and times are found from the rest."""

_REQUIRED: Final = {
    "PlanDocument": ("units", "files"),
    "UnitDocument": ("id", "title", "goal", "needs", "provides", "writes", "requirements"),
    "FileDocument": ("path", "status", "lines"),
    "Confidence": ("value", "reasons"),
}


def report_schema(kind: Kind, *, as_planner: bool = False) -> dict[str, Any]:
    """The JSON Schema of the report, without references: some providers refuse them in a tool's input.

    Of an attempt that plans it is the plan document, and no more is asked of the files it may own than a text: what is
    wrong with a plan we say ourselves, in words that help. as_planner: one for who plans and who works, with nothing
    that must be there (alternatives at the top of a tool's input are refused by some providers): the prompt says what.
    """
    if kind == "plan" and not as_planner:
        return {"type": "object", "properties": {"plan": plan_schema()}, "required": ["plan"]}
    (reference,), definitions = msgspec.json.schema_components((Report,), ref_template="{name}")
    report = _inlined(reference, definitions)
    if not as_planner:
        return report
    plan = {**plan_schema(), "description": "The plan, of who was asked to plan; nobody else gives one."}
    return {"type": "object", "properties": {"plan": plan, **report["properties"]}}


def plan_schema() -> dict[str, Any]:
    """The JSON Schema of the plan that a planner is asked for, made from the types of a plan document."""
    (reference,), definitions = msgspec.json.schema_components((PlanDocument,), ref_template="{name}")
    for name, fields in _ASKED.items():
        definition = definitions[name]
        definition["properties"] = {field: _given(definition["properties"][field]) for field in fields}
        definition["required"] = list(_REQUIRED[name])
    return _inlined(reference, definitions)


def _given(field: dict[str, Any]) -> dict[str, Any]:
    """The field without `null` and its default: what is absent is left out."""
    kinds: Iterable[dict[str, Any]] = field.get("anyOf", ())
    for kind in kinds:
        if kind != {"type": "null"}:
            field = kind
    return {key: value for key, value in field.items() if key != "default"}


def _inlined(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    def inlined(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                return inlined(definitions[value["$ref"]])
            return {key: inlined(item) for key, item in value.items() if key != "title" or isinstance(item, dict)}
        return [inlined(item) for item in value] if isinstance(value, list) else value

    found: dict[str, Any] = inlined(schema)
    return found


# ---- OpenAI's strict mode


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema as OpenAI's strict structured output takes it: objects without further properties, all properties
    required. What may be absent may be null instead: see `without_nulls`."""
    found = {key: value for key, value in schema.items() if key != "default"}
    if "items" in found:
        found["items"] = strict(found["items"])
    if "enum" in found:
        found.setdefault("type", "string")
    properties: dict[str, dict[str, Any]] = found.get("properties", {})
    if properties:
        needed = found.get("required", ())
        found["properties"] = {
            name: strict(value) if name in needed else {"anyOf": [strict(value), {"type": "null"}]}
            for name, value in properties.items()
        }
        found["required"] = list(properties)
        found["additionalProperties"] = False
    return found


def without_nulls(value: Any) -> Any:
    """What was answered in strict mode, with what is null left out."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value
