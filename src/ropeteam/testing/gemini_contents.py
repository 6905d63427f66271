"""The Gemini format of the scripted model: `generateContent`, streamed or not, and `countTokens`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ropeteam.testing.model_script import Call, Refused, Status
from ropeteam.testing.model_wire import Asked, Tool, canonical, event, fields_of, number
from ropeteam.testing.prompt_cache import Block, Steps, Use, tokens

_PATH = re.compile(r"/models/([^/:]+):(generateContent|streamGenerateContent|countTokens)$")
_STATUSES: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}
_TYPE: Final = "type.googleapis.com/google.rpc."
_QUOTA: Final = "You exceeded your current quota, please check your plan and billing details."
_REFUSALS: Final = {
    "auth": (400, "API key not valid. Please pass a valid API key."),
    "forbidden": (403, "The caller does not have permission"),
    "rate": (429, _QUOTA),
    "quota": (429, _QUOTA),
    "window": (429, _QUOTA),
    "overload": (503, "The model is overloaded. Please try again later."),
    "server": (500, "An internal error has occurred."),
    "context": (400, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
    "model": (404, "models/no-such-model is not found for API version v1beta, or is not supported."),
    "bad": (400, "Request contains an invalid argument."),
}
_LIMITS: Final = {
    "rate": "GenerateRequestsPerMinutePerProjectPerModel",
    "quota": "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
    "window": "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
}


class GeminiContents:
    """`/v1beta/models/MODEL:generateContent`, `:streamGenerateContent?alt=sse`, `:countTokens`: gemini-cli."""

    name = "gemini"
    answers = "candidates"
    rule = Steps(provider="gemini", step=64, seconds=300.0)

    def serves(self, path: str) -> bool:
        return _PATH.search(path) is not None

    def counts(self, path: str) -> bool:
        return path.endswith(":countTokens")

    def count(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return {"totalTokens": tokens(canonical(body))}

    def read(self, body: Mapping[str, Any], path: str) -> Asked:
        declared = [one for tool in body.get("tools") or () for one in tool.get("functionDeclarations") or ()]
        tools = {
            name: Tool(name=name, fields=fields_of(one.get("parametersJsonSchema")) | fields_of(one.get("parameters")))
            for one in declared
            if (name := str(one.get("name", "")))
        }
        wanted = body.get("generationConfig") or {}
        schema = any(key in wanted for key in ("responseJsonSchema", "responseSchema"))
        found = _PATH.search(path)
        return Asked(
            model=found[1] if found else "",
            stream=path.endswith(":streamGenerateContent"),
            # gemini-cli asks in JSON who speaks next and which model to use, with its tools beside it.
            main=bool(tools) and not schema,
            tools=tools,
            blocks=tuple(_blocks(body)),
            schema=schema,
        )

    def error(self, status: int, message: str = "") -> dict[str, Any]:
        kind = _STATUSES.get(status, "INTERNAL")
        return {"error": {"code": status, "message": message or f"scripted {kind}", "status": kind}}

    def refuse(self, asked: Asked, refused: Refused) -> Status:  # noqa: ARG002
        status, message = _REFUSALS[refused.kind]
        document = self.error(status, message)
        details: list[dict[str, Any]] = []
        if refused.kind == "auth":
            details.append({"@type": f"{_TYPE}ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"})
        if refused.kind in _LIMITS:
            violation = {"quotaId": _LIMITS[refused.kind], "quotaMetric": "generate_requests", "quotaValue": "10"}
            details.append({"@type": f"{_TYPE}QuotaFailure", "violations": [violation]})
        if refused.seconds is not None:
            details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{refused.seconds:g}s"})
        if details:
            document["error"]["details"] = details
        return Status(status=status, body=document)

    def message(self, asked: Asked, text: str, calls: Sequence[Call], use: Use) -> dict[str, Any]:
        parts: list[dict[str, Any]] = [{"text": text}] if text else []
        parts += [{"functionCall": {"name": call.name, "args": call.input}} for call in calls]
        return {
            "candidates": [
                {"content": {"role": "model", "parts": parts or [{"text": ""}]}, "finishReason": "STOP", "index": 0}
            ],
            "usageMetadata": {
                "promptTokenCount": use.read,
                "cachedContentTokenCount": use.cached,
                "candidatesTokenCount": use.output,
                "totalTokenCount": use.read + use.output,
            },
            "modelVersion": asked.model,
            "responseId": f"{number():024d}",
        }

    def events(self, message: Mapping[str, Any]) -> Iterator[bytes]:
        """One for each part, then the reason for the end and the usage: what is cut off has neither."""
        (candidate,) = message["candidates"]
        parts = candidate["content"]["parts"]
        head = {key: message[key] for key in ("modelVersion", "responseId")}
        for part in parts:
            yield event({**head, "candidates": [_candidate(part)]}, named=False)
        end = {**_candidate({"text": ""}), "finishReason": candidate["finishReason"]}
        yield event({**head, "candidates": [end], "usageMetadata": message["usageMetadata"]}, named=False)

    def error_event(self) -> bytes:
        return event(self.error(503, "The model is overloaded. Please try again later."), named=False)


def _candidate(part: Mapping[str, Any]) -> dict[str, Any]:
    return {"content": {"role": "model", "parts": [part]}, "index": 0}


def _blocks(body: Mapping[str, Any]) -> Iterator[Block]:
    system = body.get("systemInstruction") or {}
    if system:
        yield Block(place="system", text=canonical(system), words=_words(system))
    for tool in body.get("tools") or ():
        yield Block(place="tool", text=canonical(tool))
    for content in body.get("contents") or ():
        yield Block(place=str(content.get("role")), text=canonical(content), words=_words(content))


def _words(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content.get("parts") if isinstance(content, Mapping) else None
    return "\n".join(str(part["text"]) for part in parts or () if isinstance(part, Mapping) and "text" in part)
