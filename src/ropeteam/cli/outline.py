"""A run in a few lines, for readers who pay for each word: what is decided and must be agreed to, how far it is, what
came of it. `ropeteam mcp` answers with these, and commands with `--short`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ropeteam.cli.page import ACTIONS, MARKS, page
from ropeteam.cli.page_parts import Row
from ropeteam.cli.plain import count, duration, escaped, money, plain, shortened, tokens, whole
from ropeteam.core.decide import minutes
from ropeteam.core.report import CheckLine, Files, Report, TriggerLine, report
from ropeteam.core.triggers import SENTENCES

if TYPE_CHECKING:
    from ropeteam import app
    from ropeteam.core.state import RunState

SHOWN_FILES: Final = 12
SHOWN: Final = 4
"""Of decisions, deviations, notices and the like."""
LONGEST: Final = 180
"""Characters of one thing that somebody said."""


# ---- before a run


def foreseen(prepared: app.Prepared) -> tuple[str, ...]:
    """The decision, its reasons, and what both ways would take."""
    from ropeteam.cli.page_plan import in_short
    from ropeteam.cli.planning import of_prepared

    asked = prepared.outlook.ask_agent
    lines = (
        *([f"An agent plans first: {whole(asked)} Until then:"] if asked else []),
        *in_short(of_prepared(prepared)),
    )
    return tuple(shortened(line, 2 * LONGEST) for line in lines[: 3 + 2 * SHOWN])


def units(prepared: app.Prepared) -> tuple[str, ...]:
    """Who does what after whom, in one line, where there are several."""
    plan = prepared.plan
    if plan is None or len(plan.units) < 2:
        return ()
    said = [f"{u.id}{f' after {chr(44).join(u.needs)}' if u.needs else ''}" for u in plan.units[: 3 * SHOWN]]
    more = f" and {len(plan.units) - len(said)} more" if len(plan.units) > len(said) else ""
    return (f"Units: {'; '.join(said)}{more}.",)


def brief(text: str) -> str:
    """What an agent says of itself, in one short line."""
    return shortened(plain(text), 120)


def before(prepared: app.Prepared, *, agreed: bool) -> tuple[str, ...]:
    """All that is to be known before a run, as `ropeteam plan --short` prints it."""
    ask = to_ask(prepared, agreed=agreed)
    asked = (f"Ask the user first: {'; '.join(ask)}.",) if ask else ()
    return (*asked, *foreseen(prepared), *units(prepared), *(() if agreed else terms(prepared)))


def terms(prepared: app.Prepared) -> tuple[str, ...]:
    """What the user agrees to: the screen that `ropeteam run` shows, without the decision."""
    from ropeteam.cli.consent import consent_page

    sections = [s for s in consent_page(prepared).sections if s.title != "The decision"]
    return tuple(f"{s.title}: {'; '.join(_cells(row) for row in s.rows).rstrip('.')}." for s in sections)


def _cells(row: Row) -> str:
    return ": ".join(part for part in (row.cells[0], " ".join(cell for cell in row.cells[1:] if cell)) if part)


def to_ask(prepared: app.Prepared, *, agreed: bool) -> tuple[str, ...]:
    """Why the user has to be asked before this run begins; empty: there is no need. agreed: consent was given."""
    limits, why = prepared.settings.ask, [] if agreed else ["first run here with this agent and these settings"]
    if prepared.outlook.ask_agent:
        return (*why, "an agent plans first, so cost and time are not known yet")
    e = prepared.plan.estimate if prepared.plan is not None else None
    if e is not None:
        way = e.single if prepared.decision.mode == "single" else e.parallel
        if (way.cost_usd_p90 or 0.0) > limits.cost_usd:
            why.append(f"it may cost {money(way.cost_usd_p90 or 0.0)} (ask.cost_usd = {limits.cost_usd:g})")
        if (way.seconds_p50 or 0.0) > limits.seconds:
            took = minutes(way.seconds_p50 or 0.0)
            why.append(f"it takes about {took} (ask.seconds = {limits.seconds:g})")
    return tuple(why)


# ---- while it runs


def progress(state: RunState, now: float) -> str:
    """One line: how long, how much is done, who is at work, what it cost; the last fall where there is one."""
    from ropeteam.cli import live_together
    from ropeteam.core.state import spent

    cost, used, _ = spent(state.attempts)
    at_work = [c.attempt for c in state.under_way() if c.attempt not in state.offered]
    said = [f"{duration(max(0.0, now - state.begun.at))}"]
    if state.together:
        known = list(live_together.states(state).values())
        said.append(f"{known.count('done')} of {count(len(known), 'unit')} done")
    said += [f"at work: {', '.join(at_work)}"] if at_work else []
    said += [f"to be taken: {', '.join(state.offered)}"] if state.offered else []
    said += [] if at_work or state.offered else [state.phase]
    said += [tokens(used)] if used else []
    said += [money(cost)] if cost else []
    falls = [t for t in report(state).triggers if t.action in ("salvage", "strict")]
    return ", ".join(said) + "." + (f" {_fell(falls[-1].id, falls[-1].unit, falls[-1].evidence)}" if falls else "")


def _fell(id: str, unit: str, evidence: str) -> str:
    from ropeteam.cli.falls import fell

    return shortened(fell(id, unit, evidence), LONGEST)


# ---- what came of it


def outcome(state: RunState) -> tuple[str, ...]:
    """The report, as short as it can be: what was decided and done, what went differently, what to do next."""
    made = report(state)
    shown = page(made, branch=state.landed_on)
    lines = [
        f"{shown.headline} Run {made.run}.",
        shortened(shown.lead, 2 * LONGEST),
        _decided(made),
        *differently(made.triggers, told=shown.lead),
        files(made.files) or ("No file was changed." if made.outcome is not None else ""),
        said("Decisions", [(d.decision, d.rationale) for d in made.decisions]),
        said("Deviations", [(d.what, d.why) for d in made.deviations]),
        said("Still to do by hand", [(r.path, r.what) for r in made.requests if not r.done and made.outcome]),
        checks(made.checks),
        _figures(made),
        _listed("Kept, not in the result", _aside(made)),
        _listed("Documents", list(made.documents)),
        _next(shown.next),
    ]
    return tuple(line for line in lines if line)


def _decided(made: Report) -> str:
    if made.decision is None:
        return ""
    who = "several agents" if made.decision.mode == "parallel" else "one agent"
    reasons = [r for r in made.decision.reasons if not r.startswith(("One agent does it.", "Several agents: "))]
    return shortened(f"Decided: {who}. {' '.join(whole(r) for r in reasons[:2])}", 2 * LONGEST).strip()


def differently(triggers: tuple[TriggerLine, ...], told: str = "") -> list[str]:
    """A sentence for each trigger, and what was done about it. told: what stands above them: of a fall that it tells
    only the name is left to say."""
    shown = [t for t in triggers if t.action != "single"]
    lines = []
    for t in shown[:SHOWN]:
        sentence = SENTENCES.get(t.id, "")  # type: ignore[call-overload]
        unit = f" ({t.unit})" if t.unit else ""
        known = t.action in ("salvage", "strict") and plain(told).startswith(plain(_fall(t)))
        what = "" if known else whole(shortened(" ".join(p for p in (sentence, plain(t.evidence)) if p), LONGEST))
        lines.append(" ".join(p for p in (f"{t.id}{unit}:", what, ACTIONS.get(t.action, "")) if p))
    return lines + ([f"and {len(shown) - SHOWN} more triggers."] if len(shown) > SHOWN else [])


def _fall(t: TriggerLine) -> str:
    from ropeteam.cli.falls import fell

    return fell(t.id, t.unit, t.evidence)


def files(changed: Files) -> str:
    """How many, and the first of them; empty where there is none."""
    kinds = (("created", changed.created), ("modified", changed.modified), ("deleted", changed.deleted))
    paths = [f"{MARKS[kind]}{escaped(f.path)}" for kind, lines in kinds for f in lines]
    if not paths:
        return ""
    counts = ", ".join(f"{len(lines)} {kind}" for kind, lines in kinds if lines)
    more = f" and {len(paths) - SHOWN_FILES} more" if len(paths) > SHOWN_FILES else ""
    return f"{count(len(paths), 'file')} ({counts}): {' '.join(paths[:SHOWN_FILES])}{more}"


def said(title: str, pairs: list[tuple[str, str]]) -> str:
    """The first of them, each with its reason, none longer than a sentence or two."""
    told = [shortened(": ".join(plain(p).rstrip(".") for p in pair if p), LONGEST) for pair in dict.fromkeys(pairs)]
    more = f"; and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    return f"{title}: {'; '.join(told[:SHOWN])}{more}." if told else ""


def checks(lines: tuple[CheckLine, ...]) -> str:
    """Each with its state, and the first tests that fail."""

    def one(name: str, state: str, tests: int, added: int, failing: tuple[str, ...]) -> str:
        number = f" ({count(tests, 'test')}, {added} new)" if tests else ""
        names = f", failing: {', '.join(plain(n) for n in failing[:SHOWN])}" if failing else ""
        return f"{plain(name)} {state}{number}{names}"

    said = "; ".join(one(c.name, c.state, c.tests, c.added, c.failing) for c in lines)
    return f"Checks: {said}." if said else ""


def _figures(made: Report) -> str:
    p, a = made.predicted, made.actual
    parallel = p.mode == "parallel"
    seconds = p.parallel_seconds_p50 if parallel else p.single_seconds_p50
    cost = p.parallel_cost_usd_p50 if parallel else p.single_cost_usd_p50
    predicted = ", ".join([*([duration(seconds)] if seconds is not None else []), *([money(cost)] if cost else [])])
    clock = f" ({plain(made.clock)})" if made.clock else ""
    used = f", {money(a.cost_usd)}, {tokens(a.tokens)}" if a.tokens else " (tokens and cost are not known)"
    return f"Predicted {predicted or 'nothing'}; it took {duration(a.seconds)}{used}{clock}."


def _aside(made: Report) -> list[str]:
    """Refs of what was made and is not in the result, where somebody may look for it."""
    wanted = made.outcome in ("not_delivered", "cancelled", "delivered_after_fallback") or made.state == "parked"
    used = {a.ref for u in made.units if u.state == "validated" for a in u.attempts[-1:]}
    return [ref for ref in made.kept if ref not in used] if wanted else []


def _listed(title: str, paths: list[str]) -> str:
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return f"{title}: {' '.join(escaped(p) for p in paths[:SHOWN])}{more}" if paths else ""


def _next(rows: tuple[Row, ...]) -> str:
    said = [_cells(row).rstrip(".") for row in rows if "clean" not in row.cells[0] and "git log" not in row.cells[0]]
    return f"Next: {'; '.join(said[:SHOWN])}." if said else ""
