"""What one run of claude says, taken in line by line."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping, Sequence
from typing import Final

import msgspec

from ropeteam.agents import claude_events as events
from ropeteam.agents import claude_verdict, endings
from ropeteam.agents.claude_verdict import Heard
from ropeteam.core.model import Usage
from ropeteam.ports import Exit, Finish, Said, Task

_head = msgspec.json.Decoder(events.Head)
_FAULTS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class ClaudeConversation:
    """Parser and memory of one attempt.

    windows: size of the context by model, as earlier conversations have told it. It is in the last event only and
    differs between models (200,000 or 1,000,000), so the first conversation with a model does not know its own limit
    while it runs.
    """

    def __init__(self, task: Task, session: str, windows: MutableMapping[str, int]) -> None:
        self._task = task
        self._session = session
        self._windows = windows
        self._heard = Heard(session=session)
        self._messages: dict[str, Usage] = {}
        self._context_used = 0
        self._own: list[events.ModelUsage] | None = []

    def parse(self, line: bytes) -> Sequence[Said]:
        text = line.strip()
        if not text:
            return ()
        try:
            head = _head.decode(text)
        except _FAULTS as error:
            return self._not_an_event(text, str(error))
        if not head.type:
            return self._garbled(f"a JSON line without a type ({len(text)} bytes)")
        try:
            return (*self._same_session(head), *self._event(head, text))
        except _FAULTS as error:
            return self._garbled(f"{head.type} {head.subtype}".strip() + f": {error}")

    def finish(self, exit: Exit, now: float) -> Finish:
        heard = self._heard
        outcome, evidence = claude_verdict.judge(exit, heard, self._task.kind)
        report, notices = claude_verdict.report(heard, self._task.kind)
        return Finish(
            outcome=outcome,
            usage=self._usage(),
            report=endings.inside(report, self._task.tree),
            session=self._session,
            model=heard.model,
            compacted=heard.compacted > 0,
            unforked=self._task.fork is not None and claude_verdict.unforked(heard, outcome),
            evidence=evidence,
            notices=(*notices, *claude_verdict.notices(heard, outcome)),
            retry_at=claude_verdict.retry_at(heard, now) if outcome in ("rate", "overload") else None,
        )

    # ---- events

    def _event(self, head: events.Head, line: bytes) -> Sequence[Said]:
        match head.type, head.subtype:
            case "system", "init":
                init = msgspec.json.decode(line, type=events.Init)
                self._heard.model = init.model
                self._heard.failed_servers = [s.name for s in init.mcp_servers or () if s.status == "failed"]
                self._heard.began = True
                return (Said(kind="session", text=head.session_id),)
            case "system", "api_retry":
                return self._retry(msgspec.json.decode(line, type=events.Retry))
            case "system", "permission_denied":
                return self._denied(msgspec.json.decode(line, type=events.Denied))
            case "system", "compact_boundary":
                self._heard.compacted += 1
                return (Said(kind="compacted", text="Its conversation was shortened to fit the model's context."),)
            case "rate_limit_event", _:
                info = msgspec.json.decode(line, type=events.RateLimit).rate_limit_info
                if info.status == "rejected":
                    self._heard.resets_at = info.resets_at
                return ()
            case "assistant", _:
                return self._assistant(msgspec.json.decode(line, type=events.Assistant))
            case "result", _:
                return self._result(msgspec.json.decode(line, type=events.Result))
            case _:
                return ()

    def _retry(self, event: events.Retry) -> Sequence[Said]:
        seconds = event.retry_delay_ms / 1000
        status = event.error_status or 0
        self._heard.retries += 1
        if status == 429:
            self._heard.rate_wait = seconds
        text = f"The provider answered {status}" if status else f"No answer from the provider ({event.error})"
        return (Said(kind="retry", text=f"{text}; trying again in {seconds:.0f} s.", status=status, seconds=seconds),)

    def _denied(self, event: events.Denied) -> Sequence[Said]:
        self._heard.denials[event.tool_use_id] = event.tool_name
        return (Said(kind="denied", text=event.message or f"{event.tool_name} was not allowed"),)

    def _assistant(self, event: events.Assistant) -> Sequence[Said]:
        message = event.message
        blocks = message.content if isinstance(message.content, list) else [events.Block(text=message.content)]
        if event.error:
            # Not the model's words: claude puts a provider's refusal into the conversation as a message.
            self._heard.api_error = event.error
            return ()
        main = not event.parent_tool_use_id
        if main and (text := "".join(block.text for block in blocks).strip()):
            self._heard.last_text = text
        said = [said for block in blocks if (said := self._block(block)) is not None]
        if message.usage is not None and self._count(message.id, message.usage, main=main):
            said.append(Said(kind="usage", usage=self._usage()))
        return said

    def _block(self, block: events.Block) -> Said | None:
        if block.type == "tool_use" and block.name == "StructuredOutput":
            return Said(kind="tool", text="Giving its report")
        if block.type == "tool_use":
            return Said(kind="tool", text=endings.tool_words(block.name, block.input, self._task.tree))
        return Said(kind="text", text=endings.shortened(block.text)) if block.text.strip() else None

    def _result(self, event: events.Result) -> Sequence[Said]:
        self._heard.result = event
        if event.structured_output is not None:
            # A conversation that is woken again has a further result, without the report it has given already.
            self._heard.report = event.structured_output
        for denial in event.permission_denials or ():
            self._heard.denials.setdefault(denial.tool_use_id, denial.tool_name)
        for model, usage in event.model_usage.items():
            if usage.context_window:
                self._windows[model] = usage.context_window
        if event.since_last is None:
            self._own = None
        elif self._own is not None:
            self._own.extend(event.since_last.values())
        return (Said(kind="usage", usage=self._usage()), Said(kind="end", text=event.subtype))

    # ---- usage

    def _count(self, identity: str, tokens: events.Tokens, *, main: bool) -> bool:
        """Take in the usage of one message; True when it is news. The same id comes once for each block."""
        usage = Usage(
            input=(tokens.input_tokens or 0) + (tokens.cache_creation_input_tokens or 0),
            cached=tokens.cache_read_input_tokens or 0,
            output=tokens.output_tokens or 0,
        )
        if main:
            self._context_used = usage.tokens
        known = self._messages.get(identity)
        if known is not None and known.tokens >= usage.tokens:
            return False
        self._messages[identity] = usage
        return True

    def _usage(self) -> Usage:
        result = self._heard.result
        window = self._windows.get(self._heard.model, 0)
        if result is not None and result.model_usage:
            spent = self._spent(result)
        else:
            known = self._messages.values()
            spent = Usage(
                input=sum(usage.input for usage in known),
                cached=sum(usage.cached for usage in known),
                output=sum(usage.output for usage in known),
                cost_usd=(result.total_cost_usd or 0.0) if result is not None else 0.0,
            )
        return msgspec.structs.replace(spent, context_used=self._context_used, context_limit=window)

    def _spent(self, result: events.Result) -> Usage:
        """As its last event tells it; of a conversation that goes on from another only what came on top."""
        before = self._task.fork.usage if self._task.fork is not None else Usage()
        if self._task.fork is not None and self._own:
            own = _sum(self._own)
            return msgspec.structs.replace(own, cost_usd=sum(model.cost_usd for model in self._own))
        whole = _sum(result.model_usage.values())
        return Usage(
            input=max(0, whole.input - before.input),
            cached=max(0, whole.cached - before.cached),
            output=max(0, whole.output - before.output),
            cost_usd=max(0.0, (result.total_cost_usd or 0.0) - before.cost_usd),
        )

    # ---- what should not be

    def _same_session(self, head: events.Head) -> Sequence[Said]:
        if head.session_id in ("", self._session):
            return ()
        fork = self._task.fork
        if fork is not None and not self._heard.began and head.session_id != fork.session:
            self._session = self._heard.session = head.session_id  # a copy that was not given the id that we chose
            return ()
        if not self._heard.foreign_session:
            self._heard.foreign_session = head.session_id
            return (Said(kind="session", text=head.session_id),)
        return ()

    def _not_an_event(self, text: bytes, problem: str) -> Sequence[Said]:
        words = endings.plain_words(text, began=self._heard.began)
        return (words,) if words is not None else self._garbled(f"{len(text)} bytes: {problem}")

    def _garbled(self, problem: str) -> Sequence[Said]:
        self._heard.garbled = self._heard.garbled or problem
        return (endings.unreadable(problem),)


def _sum(models: Iterable[events.ModelUsage]) -> Usage:
    found = list(models)
    return Usage(
        input=sum(model.input_tokens + model.cache_creation_input_tokens for model in found),
        cached=sum(model.cache_read_input_tokens for model in found),
        output=sum(model.output_tokens for model in found),
    )
