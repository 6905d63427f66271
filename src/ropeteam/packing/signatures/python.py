"""Python: classes with their fields and methods, functions, constants, names that a call is given to (`app = Flask()`).

Names that begin with `_` are the file's own affair, but for `__init__` and `__call__`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Final

from ropeteam import grammars
from ropeteam.core.pack import Signature, signature

_LOOSE: Final = re.compile(r"^([ \t]*)((?:async[ \t]+)?def[ \t]+\w+[ \t]*\([^\n]*|class[ \t]+\w+[^\n]*)", re.MULTILINE)
_SPECIAL: Final = ("__init__", "__call__", "__enter__", "__aenter__")
_LONGEST_DEFAULT: Final = 20
DEEPEST: Final = 2


def found(content: bytes) -> Iterator[Signature]:
    text = content.decode("utf-8", "replace")
    tree = grammars.python(text)
    if tree is None:
        yield from _loose(text)
        return
    yield from _body(tree.body, 0)


def _body(body: Sequence[ast.stmt], depth: int) -> Iterator[Signature]:
    fields: list[str] = []
    first = 0
    for node in body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name)) if depth and not name.startswith("_"):
                fields.append(f"{name}: {_text(node.annotation)}")
                first = first or node.lineno
            case _:
                pass
    if fields:
        yield signature(first, "fields: " + ", ".join(fields), depth)
    for node in body:
        yield from _statement(node, depth)


def _statement(node: ast.stmt, depth: int) -> Iterator[Signature]:
    match node:
        case ast.ClassDef() if not node.name.startswith("_"):
            bases = [_text(base) for base in node.bases] + [f"{k.arg}={_text(k.value)}" for k in node.keywords if k.arg]
            around = f"({', '.join(bases)})" if bases else ""
            yield signature(node.lineno, f"class {node.name}{around}{_decorated(node.decorator_list)}", depth)
            if depth < DEEPEST:
                yield from _body(node.body, depth + 1)
        case ast.FunctionDef() | ast.AsyncFunctionDef() if _is_public(node.name):
            word = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
            gives = f" -> {_text(node.returns)}" if node.returns else ""
            text = f"{word} {node.name}({_arguments(node.args)}){gives}{_decorated(node.decorator_list)}"
            yield signature(node.lineno, text, depth)
        case ast.Assign() if not depth:
            yield from _assigned(node)
        case ast.AnnAssign(target=ast.Name(id=name)) if not depth and not name.startswith("_"):
            yield signature(node.lineno, f"{name}: {_text(node.annotation)}", depth, minor=True)
        case ast.If() | ast.Try():  # `if TYPE_CHECKING:`, `try: import`
            for inner in node.body:
                if isinstance(inner, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    yield from _statement(inner, depth)
        case _:
            pass


def _assigned(node: ast.Assign) -> Iterator[Signature]:
    """Constants by name (their values may be secrets), and what a call makes: `router = APIRouter(…)`."""
    names = [target.id for target in node.targets if isinstance(target, ast.Name) and not target.id.startswith("_")]
    if not names:
        return
    if isinstance(node.value, ast.Call):
        yield signature(node.lineno, f"{' = '.join(names)} = {_text(node.value.func)}(…)", minor=True)
    elif any(name.isupper() for name in names) or names == ["urlpatterns"]:
        yield signature(node.lineno, " = ".join(names), minor=True)


def _is_public(name: str) -> bool:
    return not name.startswith("_") or name in _SPECIAL


def _arguments(args: ast.arguments) -> str:
    """As they are written, long defaults left out."""
    positional = [*args.posonlyargs, *args.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(args.defaults)) + list(args.defaults)
    parts = [_argument(arg, default) for arg, default in zip(positional, defaults, strict=True)]
    if args.posonlyargs:
        parts.insert(len(args.posonlyargs), "/")
    if args.vararg:
        parts.append("*" + _argument(args.vararg, None))
    elif args.kwonlyargs:
        parts.append("*")
    parts += [_argument(arg, default) for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    if args.kwarg:
        parts.append("**" + _argument(args.kwarg, None))
    return ", ".join(parts)


def _argument(arg: ast.arg, default: ast.expr | None) -> str:
    said = f"{arg.arg}: {_text(arg.annotation)}" if arg.annotation else arg.arg
    if default is None:
        return said
    value = _text(default)
    value = value if len(value) <= _LONGEST_DEFAULT else "…"
    return f"{said} = {value}" if arg.annotation else f"{said}={value}"


def _decorated(decorators: Sequence[ast.expr]) -> str:
    """Decorators that say something of how it is used: routes, properties, class methods."""
    said = [f"@{_text(one)}" for one in decorators]
    return "  " + " ".join(said) if said else ""


def _text(node: ast.expr) -> str:
    return ast.unparse(node)


def _loose(text: str) -> Iterator[Signature]:
    """Of a file that does not parse."""
    for each in _LOOSE.finditer(text):
        name = each[2].split("(")[0].split()[-1]
        depth = len(each[1].expandtabs(4)) // 4
        if depth < DEEPEST and (not name.startswith("_") or name in _SPECIAL):
            yield signature(text.count("\n", 0, each.start()) + 1, each[2].rstrip(": \t"), depth)
