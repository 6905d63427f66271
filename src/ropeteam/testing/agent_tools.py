"""Work in words that belong to no agent, turned into calls of the tools that the agent at hand offers.

claude: `Write`, `Edit` (after `Read`), `Bash`. gemini: `write_file`, `replace`, `run_shell_command`. opencode: `write`,
`edit` (after `read`), `bash`; `apply_patch` for models whose names begin with gpt. codex: `apply_patch`,
`exec_command`, `shell_command`, `shell`, or one tool that runs JavaScript which calls them. mini-swe-agent: `bash`.
Agents that work by shell alone make changes by it; others that offer no tool for a change (because they only plan) are
not led round that. Where there is no tool at all, a change is written into the answer as aider reads it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

from ropeteam.testing.model_script import AnyCall, Call, EditFile, McpCall, Shell, StructuredReport, WriteFile
from ropeteam.testing.model_wire import Asked, Tool

STRUCTURED_OUTPUT: Final = "StructuredOutput"
"""The tool by which Claude Code asks for an answer in a JSON schema."""

EDITING: Final = frozenset(
    [
        *("Write", "Edit", "MultiEdit", "NotebookEdit"),  # claude
        *("write_file", "replace", "edit_file"),  # gemini and others
        *("write", "edit", "multiedit", "patch", "apply_patch"),  # opencode, codex
    ]
)
"""Tools that change files, of all agents known here."""

_DESCRIPTION = "As the script says"

_SHELLS: Final[Mapping[str, Callable[[str], dict[str, Any]]]] = {
    "Bash": lambda command: {"command": command, "description": _DESCRIPTION},
    "bash": lambda command: {"command": command, "description": _DESCRIPTION},
    "run_shell_command": lambda command: {"command": command, "description": _DESCRIPTION},
    "exec_command": lambda command: {"cmd": command},
    "shell_command": lambda command: {"command": command},
    "shell": lambda command: {"command": ["bash", "-lc", command]},
}

_WRITERS: Final = {"Write": "file_path", "write_file": "file_path", "write": "filePath"}
_EDITORS: Final = {
    "Edit": ("file_path", "old_string", "new_string"),
    "replace": ("file_path", "old_string", "new_string"),
    "edit": ("filePath", "oldString", "newString"),
}
_READERS: Final = {"Edit": ("Read", "file_path"), "edit": ("read", "filePath")}
"""Of the tools that refuse to change what was not read."""

_FILE_TOOLS: Final = frozenset({*_WRITERS, *_EDITORS, "Read", "read", "read_file"})
"""Who offers one of these works on files by such tools."""

_JAVASCRIPT: Final = "exec"
"""The tool of codex's "code mode", which runs JavaScript."""


def spoken(turn_text: str, calls: Sequence[AnyCall], asked: Asked, directory: str) -> tuple[str, list[Call]]:
    """The text of an answer and its calls, in the agent's own tools. LookupError: there is no tool for it."""
    text, own = [turn_text] if turn_text else [], []
    for call in calls:
        match call:
            case StructuredReport() if STRUCTURED_OUTPUT not in asked.tools:
                content = json.dumps(call.content)
                text = [content] if asked.schema else [*text, f"```json\n{content}\n```"]
            case WriteFile() | EditFile() if not asked.tools:
                text.append(_block(call))
            case _:
                own.extend(_own(call, asked, directory))
    return "\n".join(text), own


def edits(call: AnyCall) -> bool:
    """Whether it asks for a change of a file (what a shell command does nobody knows)."""
    if isinstance(call, Call):
        return call.name in EDITING
    return isinstance(call, WriteFile | EditFile)


def _own(call: AnyCall, asked: Asked, directory: str) -> list[Call]:
    tools = asked.tools
    match call:
        case Call():
            return [call]
        case McpCall():
            return [_mcp(call, tools)]
        case StructuredReport():
            return [Call(name=STRUCTURED_OUTPUT, input=call.content)]
        case Shell():
            return [_shell(call.command, tools)]
        case WriteFile():
            return [_write(call, tools, str(PurePosixPath(directory, call.path)))]
        case EditFile():
            return _edit(call, tools, str(PurePosixPath(directory, call.path)))


def _write(call: WriteFile, tools: Mapping[str, Tool], path: str) -> Call:
    name = next((name for name in _WRITERS if name in tools), None)
    if name is not None:
        return Call(name=name, input={_WRITERS[name]: path, "content": call.content})
    # A patch can only hold whole lines.
    if call.content.endswith("\n") and (patcher := _patcher(tools)):
        lines = "".join(f"+{line}\n" for line in call.content.splitlines())
        return patcher(f"*** Begin Patch\n*** Add File: {path}\n{lines}*** End Patch\n")
    parent, target = shlex.quote(str(PurePosixPath(path).parent)), shlex.quote(path)
    return _shell(f"mkdir -p {parent} && printf %s {shlex.quote(call.content)} > {target}", tools, "Write")


def _edit(call: EditFile, tools: Mapping[str, Tool], path: str) -> list[Call]:
    name = next((name for name in _EDITORS if name in tools), None)
    if name is not None:
        where, old, new = _EDITORS[name]
        change = {where: path, old: call.find, new: call.replace}
        if "instruction" in tools[name].fields:
            change["instruction"] = _DESCRIPTION
        reader, argument = _READERS.get(name, ("", ""))
        reading = [Call(name=reader, input={argument: path})] if reader in tools else []
        return [*reading, Call(name=name, input=change)]
    program = (
        "import pathlib,sys; p = pathlib.Path(sys.argv[1]); t = p.read_text(); "
        "assert t.count(sys.argv[2]) == 1; p.write_text(t.replace(sys.argv[2], sys.argv[3]))"
    )
    words = [shlex.quote(word) for word in (program, path, call.find, call.replace)]
    return [_shell(f"python3 -c {' '.join(words)}", tools, "Edit")]


def _patcher(tools: Mapping[str, Tool]) -> Callable[[str], Call] | None:
    tool = tools.get("apply_patch")
    if tool is not None and tool.free:
        return lambda patch: Call(name="apply_patch", input=patch)
    if tool is not None:
        field = "patchText" if "patchText" in tool.fields else "input"
        return lambda patch: Call(name="apply_patch", input={field: patch})
    if _JAVASCRIPT in tools and tools[_JAVASCRIPT].free:
        return lambda patch: _javascript(f"tools.apply_patch({json.dumps(patch)})")
    return None


def _shell(command: str, tools: Mapping[str, Tool], wanted: str = "Bash") -> Call:
    name = next((name for name in _SHELLS if name in tools), None)
    if name is not None and (wanted == "Bash" or not _FILE_TOOLS & tools.keys()):
        return Call(name=name, input=_SHELLS[name](command))
    if _JAVASCRIPT in tools and tools[_JAVASCRIPT].free:
        return _javascript(f"tools.exec_command({{cmd: {json.dumps(command)}}})")
    raise LookupError(f"the agent offers no tool {wanted}, only {', '.join(sorted(tools))}")


def _javascript(expression: str) -> Call:
    code = f"const r = await {expression}; text(typeof r === 'string' ? r : r.output ?? JSON.stringify(r));\n"
    return Call(name=_JAVASCRIPT, input=code)


def _mcp(call: McpCall, tools: Mapping[str, Tool]) -> Call:
    """claude and codex name it `mcp__server__tool`, gemini `mcp_server_tool`, opencode `server_tool`; codex puts it
    in a namespace, where it has its plain name."""
    for tool in tools.values():
        if tool.namespace.strip("_") == f"mcp__{call.server}" and tool.name == call.tool:
            return Call(name=tool.name, input=call.input, namespace=tool.namespace)
    names = [f"mcp__{call.server}__{call.tool}", f"mcp_{call.server}_{call.tool}", f"{call.server}_{call.tool}"]
    names += [name.replace("-", "_") for name in names]
    name = next((name for name in names if name in tools), None)
    if name is not None:
        return Call(name=name, input=call.input)
    if _JAVASCRIPT in tools and tools[_JAVASCRIPT].free:
        return _javascript(f"tools[{json.dumps(names[0])}]({json.dumps(call.input)})")
    raise LookupError(f"the agent offers no tool {call.tool} of {call.server}, only {', '.join(sorted(tools))}")


def _block(call: WriteFile | EditFile) -> str:
    """A change as aider reads it from the answer's text."""
    find, replace = ("", call.content) if isinstance(call, WriteFile) else (call.find, call.replace)
    lines = "".join(f"{line}\n" for line in find.splitlines())
    others = "".join(f"{line}\n" for line in replace.splitlines())
    return f"{call.path}\n```\n<<<<<<< SEARCH\n{lines}=======\n{others}>>>>>>> REPLACE\n```\n"
