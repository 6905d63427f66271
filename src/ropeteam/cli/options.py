"""Flags that several commands share, and how they say what they found out."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ropeteam import app

F = TypeVar("F", bound=Callable[..., Any])


def repo(command: F) -> F:
    return click.option(
        "--repo", type=click.Path(path_type=Path), default=Path(), metavar="PATH", help="The repository [here]."
    )(command)


def as_json(command: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")(command)


def short(command: F) -> F:
    return click.option("--short", is_flag=True, help="In a few lines, for an agent that reads it.")(command)


def quiet(command: F) -> F:
    return click.option("--quiet", is_flag=True, help="No progress; only the outcome.")(command)


def yes(command: F) -> F:
    return click.option("--yes", is_flag=True, help="Answer every question with its default, landing included.")(
        command
    )


def run_name(command: F) -> F:
    return click.argument("run", required=False)(command)


def sets(command: F) -> F:
    return click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Any setting; may be repeated.")(
        command
    )


def budgets(command: F) -> F:
    command = click.option("--budget-usd", type=float, metavar="X", help="Stop when it has cost this much.")(command)
    return click.option("--budget-tokens", type=int, metavar="N", help="Stop when it has used so many tokens.")(command)


def parts(command: F) -> F:
    """Which parts, extensions or changes of a feature: `parts` and `all_parts`."""
    command = click.option("--all-parts", is_flag=True, help="All parts of it that are not done, in one run.")(command)
    return click.option(
        "--part",
        "parts",
        multiple=True,
        metavar="NAME",
        help="This part [the first that is due]; may be repeated.",
    )(command)


def ways(command: F) -> F:
    """By whom and how a feature is planned and done: `agent`, `workers`, `mode`, `planner`, `plan`."""
    for option in (
        click.option(
            "--plan", type=click.Path(path_type=Path), metavar="FILE", help="A plan for several agents, as it is."
        ),
        click.option(
            "--planner",
            type=click.Choice(["auto", "static", "agent"]),
            help="Who plans: static without a model, agent, or what suits.",
        ),
        click.option(
            "--mode",
            type=click.Choice(["auto", "parallel", "single"]),
            default="auto",
            help="Several agents or one; auto decides by itself.",
        ),
        click.option("--workers", type=int, metavar="N", help="How many agents at once, at most."),
        click.option("--agent", metavar="NAME", help="Which agent [the first that answers]."),
    ):
        command = option(command)
    return command


def text_from_stdin(feature: str) -> str | None:
    """What stands for the feature where it is `-`. Raises BadInput where it is no text."""
    from ropeteam.errors import BadInput

    if feature.strip() != "-":
        return None
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise BadInput(f"Standard input is not UTF-8 text: {problem.reason}.", where="standard input") from problem


def open_repository(path: Path) -> app.Repository:
    from ropeteam import app

    return app.open_repository(path)


def print_json(document: object) -> None:
    """One JSON document and a newline, in UTF-8 whatever the locale. A byte that is not UTF-8 in a path comes as the
    escape of a lone surrogate (`\\udcff`), which is JSON."""
    import msgspec

    text = json.dumps(msgspec.to_builtins(document), ensure_ascii=False, separators=(",", ":"))
    data = text.encode("utf-8", "backslashreplace") + b"\n"
    print_bytes(data)


def print_bytes(data: bytes) -> None:
    """To standard output as they are."""
    with unread():
        sys.stdout.buffer.write(data)
        sys.stdout.flush()


def print_text(text: str) -> None:
    """Text with a newline at its end, escaped where the locale has no letter for it."""
    with unread():
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()


@contextmanager
def unread() -> Iterator[None]:
    """Whoever reads our output may have had enough: that changes nothing in what we did, nor in the exit code."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
