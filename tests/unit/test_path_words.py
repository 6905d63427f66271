"""Which words of a text are paths, and what becomes of those that cannot be used."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropeteam.core import patterns
from ropeteam.features.path_words import is_pattern, named_in


def paths(text: str, *, expected: bool = False) -> list[str]:
    return [path for name in named_in(text, expected=expected) for path in name.paths]


def problems(text: str) -> list[str]:
    return [name.problem for name in named_in(text, expected=True) if name.problem]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("`app/Models/Order.php` - an order", ["app/Models/Order.php"]),
        ("web/src/components/Sidebar.tsx - shows it", ["web/src/components/Sidebar.tsx"]),
        ('(src/a.py), src/b.py. "src/c.py" and **src/d.py**', ["src/a.py", "src/b.py", "src/c.py", "src/d.py"]),
        ("src/__init__.py and `__init__.py`", ["src/__init__.py", "__init__.py"]),
        ("[Order](app/Models/Order.php), [`x.ts`](src/x.ts)", ["app/Models/Order.php", "src/x.ts"]),
        ("`./src/x.ts`, `src/y/../z.ts`", ["src/x.ts", "src/z.ts"]),
        ("src\\Shop\\Order.cs", ["src/Shop/Order.cs"]),
        ("`src/x.ts:42`, `src/y.py::Order`, `src/z.ts#L10-L20`", ["src/x.ts", "src/y.py", "src/z.ts"]),
        ("`@/components/Foo.tsx`", ["components/Foo.tsx"]),
        ("`app/orders/[id]/page.tsx`", ["app/orders/[id]/page.tsx"]),
        ("`app/(shop)/layout.tsx`", ["app/(shop)/layout.tsx"]),
        ("`src/routes/$id.tsx`, `src/routes/+page.svelte`", ["src/routes/$id.tsx", "src/routes/+page.svelte"]),
        ("`src/{a,b}.ts`", ["src/a.ts", "src/b.ts"]),
        ("`src/{a,b}/{c,d}.ts`", ["src/a/c.ts", "src/a/d.ts", "src/b/c.ts", "src/b/d.ts"]),
        (
            "`.env.example`, Dockerfile, package.json, README.md",
            [".env.example", "Dockerfile", "package.json", "README.md"],
        ),
        ("`migrations/YYYY_MM_DD_HHMMSS_create_orders.php`", ["migrations/*_create_orders.php"]),
        ("`migrations/xxxx_xx_xx_xxxxxx_create_orders.php`", ["migrations/*_create_orders.php"]),
        ("`migrations/<timestamp>_orders.sql`", ["migrations/*_orders.sql"]),
        ("`migrations/[timestamp]_orders.sql`", ["migrations/*_orders.sql"]),
        ("migrations/2026_02_04_101000_create_carts.php", ["migrations/2026_02_04_101000_create_carts.php"]),
    ],
)
def test_paths_are_found(text: str, found: list[str]) -> None:
    assert paths(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "Node.js and Next.js, Vue.js or socket.io",
        "https://example.org/a/b.ts and www.example.org/x.js",
        "`@tanstack/react-query`, `@scope/pkg`",
        "`POST /checkout`, `/api/orders`, `application/json`, `text/html`",
        "`process.env`, `req.body`, `this.state`, `user.id`",
        "and/or, his/her, TCP/IP, 1/2, 3.5, v1.2.3, e.g. this, i.e. that.",
        "`npm run test`, `Http::fake()`, `OrderService`, `create()`",
        "",
    ],
)
def test_what_is_no_path_is_not_taken_for_one(text: str) -> None:
    assert paths(text) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("../other/x.ts", "leads out of the repository"),
        ("`src/../../x.ts`", "leads out of the repository"),
        ("`/etc/passwd`", "absolute path"),
        ("`C:\\work\\x.txt`", "absolute path"),
        ("`~/.config/tool.toml`", "home folder"),
        ("`.git/hooks/x.sh`", "git's own folder"),
        ("`a/{b,c,d,e,f,g,h}/{b,c,d,e,f,g,h}/{b,c}.ts`", "more than 50 paths"),
    ],
)
def test_paths_that_cannot_be_used_say_why(text: str, why: str) -> None:
    assert paths(text, expected=True) == []
    assert [problem for problem in problems(text) if why in problem], problems(text)


def test_where_paths_are_listed_less_has_to_prove_it() -> None:
    assert paths("`app/Models/Order`") == []
    assert paths("`app/Models/Order`", expected=True) == ["app/Models/Order"]
    assert paths("app/Models/", expected=True) == ["app/Models/"]
    assert paths("`docs/My File.md`", expected=True) == ["docs/My File.md"]


@given(st.text(alphabet=st.sampled_from("ab./\\{},*?[]()`'\"<>:~@#$ -_\n1X"), max_size=60), st.booleans())
def test_whatever_stands_there_only_usable_paths_come_out(text: str, expected: bool) -> None:
    for name in named_in(text, expected=expected):
        assert bool(name.paths) != bool(name.problem)
        assert 0 <= name.start <= name.end <= len(text)
        for path in name.paths:
            parts = path.rstrip("/").split("/")
            assert "" not in parts
            assert ".." not in parts
            assert not path.startswith(("/", "~"))
            assert "\n" not in path
            if not is_pattern(path):
                assert patterns.problem(patterns.exact(path)) == ""
                assert patterns.owns((patterns.exact(path),), path.rstrip("/"))


@given(st.text(max_size=200))
def test_no_text_is_refused(text: str) -> None:
    assert isinstance(named_in(text, expected=True), list)
