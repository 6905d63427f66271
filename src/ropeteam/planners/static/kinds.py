"""What a path alone says of a file: language, category, whether it is a hub, and what it is about (its stem).

The rules are the conventions of the frameworks' own generators and guides. The names of languages and categories are
those of the 1,280 real features that priors were measured on (`docs/design/0018`).
"""

from __future__ import annotations

import re
from typing import Final

from ropeteam.core import paths

_LANGUAGES: Final = {
    **dict.fromkeys(("py", "pyi"), "python"),
    **dict.fromkeys(("js", "mjs", "cjs", "jsx"), "js"),
    **dict.fromkeys(("ts", "tsx", "mts", "cts"), "ts"),
    **dict.fromkeys(("css", "scss", "sass", "less", "styl"), "css"),
    **dict.fromkeys(
        ("html", "htm", "twig", "erb", "hbs", "ejs", "haml", "slim", "pug", "jinja", "jinja2", "j2", "tmpl"), "template"
    ),
    **dict.fromkeys(("md", "mdx", "rst", "adoc", "txt"), "docs"),
    **dict.fromkeys(("rb", "rake"), "ruby"),
    **dict.fromkeys(("kt", "kts"), "kotlin"),
    "rs": "rust",
    "cs": "csharp",
}
_MANIFESTS: Final = re.compile(
    r"""(?:^|/)(?:package\.json|composer\.json|pyproject\.toml|setup\.(?:py|cfg)|requirements[\w.-]*\.(?:txt|in)|go\.mod|go\.sum
    |gemfile|cargo\.toml|pom\.xml|build\.gradle(?:\.kts)?|settings\.gradle(?:\.kts)?|.*\.csproj|pubspec\.yaml|mix\.exs
    |[\w.-]*lock(?:\.json|\.yaml|b)?|[\w.-]+\.lock|\.env[\w.-]*|dockerfile[\w.-]*|docker-compose[\w.-]*|compose\.ya?ml|makefile
    |[tj]sconfig[\w.-]*\.json|[\w.-]+\.config\.[cm]?[jt]s|\.[\w.-]+rc(?:\.\w+)?|application[\w-]*\.(?:ya?ml|properties))$""",
    re.VERBOSE,
)
_LOCALE: Final = re.compile(
    r"(?:^|/)(?:i18n|locales?|lang|langs|languages|translations?|messages)/|\.(?:po|pot|mo|arb|strings|resx|xliff)$|(?:^|/)messages_?\w*\.properties$"
)
_DOCS: Final = re.compile(
    r"(?:^|/)docs?/|(?:^|/)(?:readme|changelog|changes|history|contributing|license|notice|upgrade)(?:\.(?:md|txt|rst))?$"
)
_MODEL: Final = re.compile(
    r"(?:^|/)(?:models?|entit(?:y|ies)|domain|migrations?|migrate|schemas?|types?|orm|enums?|dtos?|dao|seeders?|factories|fixtures|prisma|proto)(?:/|\.)"
    r"|\.(?:sql|prisma|proto|graphql|gql)$|(?:^|/)schema\.\w+$|\.d\.ts$|(?:^|/)(?:interfaces?|structs?)/|\.(?:model|entity|dto|schema)\.[jt]s$"
)
_SERVICE: Final = re.compile(
    r"(?:^|/)(?:services?|controllers?|api|apis|routes?|routers?|handlers?|middlewares?|jobs?|workers?|commands?|actions?|policies|requests"
    r"|repositor(?:y|ies)|repos|providers?|listeners?|events|mail|mailers?|notifications?|resolvers?|usecases?|lib|server|backend)/"
)
_VIEW: Final = re.compile(
    r"(?:^|/)(?:views?|components?|pages?|templates?|layouts?|screens?|widgets?|ui|styles?|css|scss|assets|static|public|hooks|composables|livewire)/"
    r"|\.(?:vue|svelte|astro|jsx|tsx|css|scss|sass|less|styl|html?|twig|erb|hbs|ejs|haml|slim|pug|jinja2?|j2)$|\.blade\.php$"
)
_CONFIG: Final = re.compile(
    r"(?:^|/)(?:configs?|conf|settings|\.github|\.ci|deploy|k8s|helm|terraform|infra)/|(?:^|/)(?:settings|config|configuration|constants)\.\w+$|\.(?:toml|ini|cfg|ya?ml|conf|properties|tf|env|neon)$"
)
_HUB: Final = re.compile(
    r"""(?:^|/)(?:
        __init__\.py | index\.[cm]?[jt]sx? | mod\.rs | lib\.rs | main\.\w+ | app\.(?:[cm]?[jt]sx?|vue|php|py|svelte)
      | server\.[cm]?[jt]s | routes?\.\w+ | router\.\w+ | routing\.\w+ | urls\.py | web\.go | api\.go
      | worker\.[cm]?[jt]s
      | (?:routes|router)/index\.\w+ | settings\.\w+ | config\.\w+ | constants?\.\w+ | kernel\.php
      | \w*serviceprovider\.php | breadcrumbs\.php | registry\.\w+ | container\.\w+ | schema\.(?:prisma|rb|graphql)
      | structure\.sql | changelog[\w.]* | changes\.\w+ | module\.ts | app\.module\.ts | store\.ts | apps\.py
      | bootstrap\.\w+ | startup\.cs | program\.cs | application\.rb
    )$ | (?:^|/)routes/(?:web|api|console|channels|\w*routes?)\.php$""",
    re.VERBOSE,
)
_PAGE: Final = re.compile(r"(?:^|/)(?:pages?|routes|views?|app)/(?:[^/]+/)+index\.(?:[jt]sx|vue|svelte)$")
_ROLE: Final = re.compile(
    r"""(?:controllers?|services?|repositor(?:y|ies)|requests?|resources?|tests?|specs?|polic(?:y|ies)|factor(?:y|ies)|seeders?|observers?|jobs?|mail
    |mailers?|notifications?|events?|listeners?|handlers?|routes?|routers?|models?|entit(?:y|ies)|dtos?|schemas?|serializers?|forms?|views?|pages?
    |screens?|components?|modules?|migrations?|hooks?|api|client|store|slice|types?|middlewares?|commands?|actions?|list|dialog|modal|page|table)$""",
    re.VERBOSE | re.IGNORECASE,
)
_VERB: Final = re.compile(
    r"^(?:create|add|update|delete|alter|drop|store|show|use|test|make|get)[-_]|^use(?=[A-Z])|^(?:[0-9]+_?)+_?|_(?:table|tables)$",
    re.IGNORECASE,
)


def language(path: str) -> str:
    """Its ending's usual name; empty for a file without one."""
    ending = paths.suffix(path)
    return "template" if path.endswith(".blade.php") else _LANGUAGES.get(ending, ending)


def category(path: str) -> str:
    """`config`, `model`, `service`, `view`, `test`, `docs` or `locale`."""
    low = path.lower()
    if paths.is_test(path):
        return "test"
    if _MANIFESTS.search(low):
        return "config"
    if _LOCALE.search(low) and language(path) in (
        "json",
        "yml",
        "yaml",
        "php",
        "po",
        "properties",
        "ts",
        "js",
        "toml",
        "arb",
        "strings",
        "ftl",
        "xml",
        "resx",
    ):
        return "locale"
    if language(path) == "docs" or _DOCS.search(low):
        return "docs"
    if low.endswith(".blade.php") or re.search(r"(?:^|/)(?:views?|templates?)/", low):
        return "view"
    rules = (
        (("model", _MODEL), ("view", _VIEW))
        if language(path) in ("ts", "js", "vue", "css")
        else (("model", _MODEL), ("config", _CONFIG))
    )
    for name, rule in rules:
        if rule.search(low) and not (name == "config" and _SERVICE.search(low) and paths.is_code(path)):
            return name
    return (
        "service"
        if _SERVICE.search(low)
        else "view"
        if _VIEW.search(low)
        else "config"
        if _CONFIG.search(low)
        else "service"
    )


def is_hub(path: str) -> bool:
    """Whether many parts of a feature want a line in it, as far as its name tells: routes, an index, settings, a
    manifest, the texts of a language, a change log. Meant for files that are there already."""
    low = path.lower()
    if paths.is_test(path) or _PAGE.search(low):
        return False
    manifest = _MANIFESTS.search(low) is not None and not re.search(r"config\.[cm]?[jt]s$|rc(\.\w+)?$|tsconfig", low)
    return manifest or category(path) == "locale" or _HUB.search(low) is not None


def stem(path: str) -> str:
    """What it is about, in lower case and singular: `OrderController.php`, `orders.test.ts` and
    `2026_01_01_create_orders_table.php` are all about `order`."""
    *folders, name = path.split("/")
    name = name.split(".")[0] or name
    if (
        name.lower() in ("index", "__init__", "migration", "route", "page", "layout", "main", "mod", "component")
        and folders
    ):
        name = folders[-1]
    previous = ""
    while previous != name:
        previous = name
        name = _VERB.sub("", name) or name
        cut = _ROLE.search(name)
        rest = (
            name[: cut.start()].rstrip("_-. ")
            if cut and not name[: cut.start()].islower() | (cut.start() == 0)
            else name
        )
        if cut and cut.start() and re.search(r"[_-]$", name[: cut.start()]):
            rest = name[: cut.start()].rstrip("_-")
        name = rest or name
    return singular("".join(words(name)))


def words(text: str) -> list[str]:
    """The words of a name or a sentence, in lower case: `savedSearches_list` -> saved, searches, list."""
    return [part.lower() for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", text)]


def singular(word: str) -> str:
    """Good enough to compare words: `searches` -> `search`, `categories` -> `category`, `orders` -> `order`."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and re.search(r"(?:ch|sh|ss|x|z)es$", word):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word
