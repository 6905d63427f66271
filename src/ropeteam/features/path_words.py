"""Paths in the text of people and models: what is one, what is none, and what would be one but cannot be used.

Nothing is looked up: whether a file is there is for `ropeteam.planners`. A path comes out relative to the repository's
root as far as the text says so, with `/` between its parts; one that is a folder ends with `/`. Names known only in
part (`YYYY_MM_DD_create_orders.php`, `*.sql`) come out as gitignore-style patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ropeteam.core import patterns

LONGEST: Final = 300
MOST_ALTERNATIVES: Final = 50  # that braces may stand for

_CODE: Final = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_LINK: Final = re.compile(r"!?\[([^\]\[]*)\]\(\s*<?([^()\s<>]*(?:\([^()\s]*\)[^()\s<>]*)*)>?[^()]*\)")
_BARE: Final = re.compile(r"[^\s`|<>\"'“”‘’,;]+")
_EXTENSIONS: Final = frozenset(
    """py pyi pyx js mjs cjs jsx ts mts cts tsx vue svelte astro php go rs java kt kts rb erb rake ru ex exs eex heex cs
    csproj sln fs c h cc cpp cxx hpp m mm swift scala groovy gradle clj lua dart zig sql prisma graphql gql proto html
    htm xhtml twig ejs hbs mustache jinja jinja2 j2 haml slim pug liquid tmpl tpl css scss sass less styl json json5
    jsonc yaml yml toml ini cfg xml xsd md mdx rst adoc txt csv tsv po pot mo arb strings resx properties sh bash zsh
    fish ps1 bat cmd tf hcl svg png jpg jpeg gif ico webp woff woff2 snap http ipynb lock mod sum env example conf neon
    dist stub service desktop plist gemspec podspec nix cmake mk wsgi asgi r jl pl pm elm hs ml""".split()  # noqa: SIM905
)
_ONLY_IN_FOLDERS: Final = frozenset(
    {"env", "lock", "mod", "sum", "example", "dist", "service", "desktop", "r", "m", "c", "h"}
)
_PRODUCTS: Final = re.compile(
    r"""(?:node|next|nuxt|vue|react|express|three|d3|chart|alpine|day|moment|ember|backbone|discord|p5|nest|solid|socket
    |angular|handlebars|mustache|knockout|meteor|hapi|koa|sails|bun|plotly|pixi|phaser|anime|video|stripe|stimulus
    |inertia|ember|deno|jest|paper|math|immutable|popper|underscore|lodash|tailwind|require|asp|lit|preact|sql)
    \.(?:js|ts|io|net|css)\b""",
    re.VERBOSE | re.IGNORECASE,
)
_NAMES: Final = re.compile(
    r"""(?:Makefile|GNUmakefile|Dockerfile(?:\.[\w-]+)?|Containerfile|Gemfile(?:\.lock)?|Rakefile|Procfile|Vagrantfile
    |Jenkinsfile|Brewfile|Justfile|Caddyfile|LICENSE|NOTICE|CODEOWNERS|CHANGELOG|README|VERSION|go\.(?:mod|sum|work)
    |(?:yarn|poetry|uv|composer|Cargo|pdm|flake)\.lock|artisan|gradlew|mvnw|manage\.py
    |\.(?:env|gitignore|gitattributes|dockerignore|editorconfig|npmrc|nvmrc|prettierrc|eslintrc|babelrc|tool-versions
    |htaccess|rspec|rubocop|python-version|ruby-version|node-version|flake8|pylintrc|coveragerc)[\w.-]*)""",
    re.VERBOSE,
)
_LINE_MARK: Final = re.compile(r"(?:::[\w.:\[\]]+|#L?\d[\w-]*|:\d+(?:[-–:]\d+)?|\(\)|#[A-Za-z_]\w*)$")
_PLACED: Final = re.compile(  # what stands for a date, a number or a name that nobody knows yet
    r"<[^<>/]{1,40}>|\{[^{},/]{1,40}\}|\[(?:time_?stamp|date(?:time)?|hash|n+|x+|number|version|name|feature)\]"
    r"|(?<![A-Za-z0-9])(?=[\dXxYMDHSN_-]*(?:X{2,}|x{3,}|Y{4}|N{3,}|HHMM|hhmm))(?:[\dXxYMDHSNhms]{2,}[_-]?)+(?=[_.-]|\b|(?<=_))"
    r"|(?<![A-Za-z])(?:TIMESTAMP|YYYYMMDD\w*|timestamp)(?![A-Za-z])",
)
_ALLOWED: Final = re.compile(r"[\w.@+$~()\[\]*?/=!%&# -]+")
_SYSTEM: Final = re.compile(
    r"/(?:bin|boot|dev|etc|home|mnt|opt|private|proc|root|sbin|srv|sys|tmp|Users|usr|var)(?:/|$)"
)
_VERSION: Final = re.compile(r"v?\d+(?:\.\d+)*(?:\.x)?")
_DOMAIN: Final = re.compile(r"(?:www\.|[\w-]+\.(?:com|org|net|io|dev|app|gov|edu|de|uk|co)(?:/|$))", re.IGNORECASE)
_ALIAS: Final = re.compile(r"(?:@|~|#)/(?=\w)")
_WORTH_READING: Final = re.compile(
    r"[./\\]|file\b|LICENSE|NOTICE|CODEOWNERS|CHANGELOG|README|VERSION|artisan|gradlew|mvnw"
)
_WORDY: Final = re.compile(r"\w")


@dataclass(frozen=True)
class Named:
    """A place in a text that names paths, or something that would be a path. start, end: where it stands.

    problem: why it cannot be used, as the end of a sentence; then there are no paths. sure: it can hardly be anything
    but a path (it has a folder and an ending). coded: it stood in backticks or was a link.
    """

    start: int
    end: int
    raw: str
    paths: tuple[str, ...] = ()
    problem: str = ""
    sure: bool = False
    coded: bool = False


def named_in(text: str, *, expected: bool = False) -> list[Named]:
    """What the text names, in order. expected: it stands where paths are listed, so that less has to prove it."""
    found = []
    for start, end, raw, coded in _candidates(text):
        item = read(raw, coded=coded, expected=expected)
        if item is not None:
            found.append(Named(start, end, raw, item.paths, item.problem, item.sure, coded))
    return found


def read(raw: str, *, coded: bool, expected: bool = False) -> Named | None:
    """One word (or what stands between backticks) as a path; None when it is none."""
    if not _WORTH_READING.search(raw):
        return None
    word = raw.strip().strip("\"'“”‘’").strip()
    if not coded:
        word = word.rstrip(".:!?").strip("*_") if not word.endswith("__.py") else word
        word = _unbracketed(word)
    if not word or len(word) > LONGEST or not _WORDY.search(word) or "://" in word or "\n" in word:
        return None
    word = _LINE_MARK.sub("", word)
    if re.fullmatch(r"[A-Za-z]:[\\/].*", word):
        return Named(0, 0, raw, problem="it is an absolute path") if _has_ending(word.replace("\\", "/")) else None
    if "\\" in word:
        if not _has_ending(word.replace("\\", "/")) or " " in word:
            return None
        word = word.replace("\\", "/")
    alternatives = _expanded(word)
    if alternatives is None:
        return Named(0, 0, raw, problem=f"its braces stand for more than {MOST_ALTERNATIVES} paths")
    read_ones = [_one(item, coded, expected) for item in alternatives]
    if any(item is None for item in read_ones):
        return None
    whole = [item for item in read_ones if item is not None]
    problem = next((item.problem for item in whole if item.problem), "")
    if problem:
        return Named(0, 0, raw, problem=problem)
    paths = tuple(dict.fromkeys(path for item in whole for path in item.paths))
    return Named(0, 0, raw, paths=paths, sure=all(item.sure for item in whole))


def is_pattern(path: str) -> bool:
    """Whether a path that came out of here stands for several, or for one whose name is known only in part."""
    return "*" in path or "?" in path


def _candidates(text: str) -> Iterator[tuple[int, int, str, bool]]:
    """Code, links and plain words, with where they stand and whether they were marked."""
    at = 0
    marked = sorted(
        [*((m.start(), m.end(), m[2], True) for m in _CODE.finditer(text)), *_links(text)], key=lambda item: item[0]
    )
    for start, end, raw, coded in marked:
        if start < at:
            continue
        yield from _words(text, at, start)
        yield start, end, raw, coded
        at = end
    yield from _words(text, at, len(text))


def _links(text: str) -> Iterator[tuple[int, int, str, bool]]:
    for found in _LINK.finditer(text):
        words, target = found[1].strip("` "), found[2]
        inner = read(words, coded=True)
        use = target if inner is None or (read(target, coded=True) and "/" not in words) else words
        yield found.start(), found.end(), use, True


def _words(text: str, start: int, end: int) -> Iterator[tuple[int, int, str, bool]]:
    for found in _BARE.finditer(text, start, end):
        yield found.start(), found.end(), found[0], False


def _unbracketed(word: str) -> str:
    """`(src/a.py)` without its brackets; `(group)/page.tsx` keeps them."""
    while word and ((word[0] == "(" and word.count("(") > word.count(")")) or (word[0] == "(" and word[-1] == ")")):
        word = word[1:-1] if word[-1] == ")" else word[1:]
    while word.endswith(")") and word.count(")") > word.count("("):
        word = word[:-1]
    if word.startswith("[") and word.endswith("]") and "/" not in word:
        word = word[1:-1]
    return word.rstrip(".:!?")


def _expanded(word: str) -> list[str] | None:
    """`src/{a,b}.ts` as both; None when there would be too many."""
    words = [word]
    while any(_BRACE.search(item) for item in words):
        grown = []
        for item in words:
            found = _BRACE.search(item)
            if found is None:
                grown.append(item)
                continue
            grown += [item[: found.start()] + each.strip() + item[found.end() :] for each in found[1].split(",")]
        words = grown
        if len(words) > MOST_ALTERNATIVES:
            return None
    return words


_BRACE: Final = re.compile(r"\{([^{}]*,[^{}]*)\}")


def _one(word: str, coded: bool, expected: bool) -> Named | None:
    word = _PLACED.sub(lambda found: "*_" if found[0].endswith("_") else "*-" if found[0].endswith("-") else "*", word)
    word = re.sub(r"\*[_-]*\*+(?![/*])", "*", word) if "**" not in word else word
    folder = word.endswith("/")
    if not _looks_so(word, folder, coded, expected):
        return None
    alias = _ALIAS.match(word)
    word = word[2:] if alias else word
    if word.startswith("~"):
        return Named(0, 0, word, problem="it is in a home folder, outside the repository")
    if _SYSTEM.match(word):
        return Named(0, 0, word, problem="it is an absolute path, outside the repository")
    path, out = _normal(word)
    if out:
        return Named(0, 0, word, problem="it leads out of the repository")
    if not path:
        return None
    if path.split("/")[0] == ".git":
        return Named(0, 0, word, problem="it is inside git's own folder")
    if is_pattern(path) and (bad := patterns.problem(path)):
        return Named(0, 0, word, problem=bad)
    return Named(0, 0, word, paths=(path + "/" * folder,), sure="/" in path and _has_ending(path))


def _looks_so(word: str, folder: bool, coded: bool, expected: bool) -> bool:
    if not _ALLOWED.fullmatch(word) or _VERSION.fullmatch(word) or _DOMAIN.match(word):
        return False
    if " " in word and not (
        coded and expected and "/" in word and _has_ending(word) and not re.search(r" -|^\w+ ", word)
    ):
        return False
    if re.search(r"[=!%&]", word) or (word.startswith("#") and not word.startswith("#/")):
        return False
    if re.match(r"(?:application|text|image|audio|video|font|multipart)/[\w.+*-]+$", word) and not _code_ending(word):
        return False  # a kind of content
    name = word.rstrip("/").rpartition("/")[2]
    if "/" not in word.rstrip("/"):
        if folder:
            return expected and re.fullmatch(r"[\w.@-]+/", word) is not None
        return _plain_name(word)
    if _PRODUCTS.search(word) and not coded:
        return False
    if re.match(r"@[\w-]+/[\w.-]+$", word) and not _code_ending(word):
        return False  # a package
    if folder:
        return coded or expected
    if _NAMES.fullmatch(name) or _has_ending(word):
        return True
    if _SYSTEM.match(word):
        return coded and expected
    return coded and expected and re.fullmatch(r"(?:\./|\.\./|~/)*[\w.-]+(?:/[\w.@()\[\]*$-]+)+", word) is not None


def _plain_name(word: str) -> bool:
    """A file's name without a folder."""
    if _NAMES.fullmatch(word):
        return True
    stem, dot, ending = word.rpartition(".")
    if not dot or not stem or _PRODUCTS.fullmatch(word):
        return False
    ending = ending.lower()
    if ending in _ONLY_IN_FOLDERS or ending not in _EXTENSIONS:
        return False
    return re.fullmatch(r"[\w@+$()\[\]*?.-]+", stem) is not None


def _has_ending(path: str) -> bool:
    name = path.rpartition("/")[2]
    if _NAMES.fullmatch(name):
        return True
    stem, dot, ending = name.rpartition(".")
    return bool(dot) and bool(stem) and (ending.lower() in _EXTENSIONS or ending == "*")


def _code_ending(path: str) -> bool:
    return path.rpartition(".")[2].lower() in ("ts", "tsx", "vue", "jsx", "svelte", "scss", "css", "json")


def _normal(path: str) -> tuple[str, bool]:
    """Without `.`, empty parts and inner `..`; and whether it leads out."""
    parts: list[str] = []
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            if not parts:
                return "", True
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts), False
