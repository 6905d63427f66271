"""The list of commands. What a command does is imported when it is called, so that `--help` stays fast."""

from __future__ import annotations

import importlib
from typing import Final

import click

from ropeteam import __version__

COMMANDS: Final = {
    "new": ("starting:new", "Write a commented feature folder to fill in."),
    "plan": ("planning:plan", "Plan, estimate and decide; change nothing."),
    "run": ("running:run", "Implement a planned feature: the main job."),
    "status": ("following:status", "Where a run is."),
    "attach": ("following:attach", "Follow a run live."),
    "wait": ("following:wait", "Block until a run ends."),
    "resume": ("running:resume", "Go on after any interruption."),
    "cancel": ("running:cancel", "Stop a run and keep everything."),
    "land": ("running:land", "Put a kept result on the current branch."),
    "report": ("reporting:report", "What a run did, as text, Markdown, JSON or HTML."),
    "history": ("history:history", "Predicted beside actual, of the runs here."),
    "clean": ("cleaning:clean", "Remove work trees that are no longer needed."),
    "agents": ("looking:agents", "Which agents can be used here."),
    "doctor": ("looking:doctor", "What is missing on this machine, and what is protected."),
    "mcp": ("mcp_server:mcp", "Serve hosts over MCP, on standard input and output."),
    "install-skill": ("skills:install_skill", "Install the skill for your agent."),
    "take": ("hosting:take", "Take a unit to do, in host mode."),
    "hand-in": ("hosting:hand_in", "Hand in a unit that was taken, in host mode."),
    "demo": ("showing:demo", "A complete run on a sample: no key, no network."),
}
"""Name -> (module of this package:function, one line of help)."""


class Program(click.Group):
    """A group that knows its commands' names and help without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(f"ropeteam.cli.{module}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            meant = f" Did you mean {close[0]!r}?" if close else ""
            raise click.UsageError(f"There is no command {args[0]!r}.{meant}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="`ropeteam COMMAND --help` tells more; `ropeteam demo` is a first look.",
)
@click.version_option(__version__, "--version", prog_name="ropeteam", message="%(prog)s %(version)s")
def program() -> None:
    """Implement a planned feature in a git repository with coding agents.

    Your branch and files are not touched until a validated result lands, and nothing that an agent
    made is ever lost.
    """
