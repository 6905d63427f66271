"""Imports that lead nowhere, found in real commits, language by language; and all that must not be taken for one."""

from __future__ import annotations

from pathlib import Path

import pytest
from git_world import world
from hypothesis import given, settings
from hypothesis import strategies as st

from repositories import commit_all, git, make_repo, write_files
from ropeteam.git import find
from ropeteam.packing import leads
from ropeteam.packing.leads import others, python, web
from ropeteam.planners.static.base import Base

PYTHON = {
    "pyproject.toml": '[project]\nname = "shop"\ndependencies = ["redis>=5"]\n',
    ".gitignore": "src/shop/made.py\n",
    "redis.py": "",
    "alembic/env.py": "",
    "src/shop/__init__.py": "from shop.models.order import Order as Order\n",
    "src/shop/models/__init__.py": "",
    "src/shop/models/order.py": "class Order: ...\nif 1:\n    LATE = 2\ndef f():\n    global MADE\n    MADE = 1\n",
    "src/shop/star.py": "from shop.models.order import *\n",
    "src/shop/lazy.py": "def __getattr__(name): return name\n",
    "src/shop/plugins/one.py": "",
    "src/shop/odd/__init__.py": "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n",
    "tests/support.py": "def world(): ...\n",
}
PYTHON_GOOD = """
from __future__ import annotations
import json, os.path, shop, shop.models.order as o, tests.support, unknown.thing
from redis import Redis
from alembic import op
from shop import Order, models, __version__, star
from shop.models.order import Order, LATE, MADE
from shop.star import anything
from shop.lazy import anything_else
from shop.plugins import one
from shop.plugins.one import __doc__
from shop.odd.hidden import x
from . import made, models
from .made import x
from .plugins import not_seen
from .user_pb2 import User
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from .nowhere import Type
try:
    from ._speed import fast
except ImportError:
    fast = None
def late():
    from .nowhere import x
    import shop.nowhere
"""
PYTHON_BAD = {
    "from .nowhere import x": "leads to src/shop/nowhere, which is not there",
    "import shop.nowhere": "leads to src/shop/nowhere, which is not there",
    "from shop.models.user import User": "leads to src/shop/models/user, which is not there",
    "from .models.order import Order, User": "takes User from src/shop/models/order.py, which has no such name",
    "from shop import order": "takes order from src/shop/__init__.py, which has no such name",
    "from ..shop.models import Order": "takes Order from src/shop/models/__init__.py, which has no such name",
}
WEB = {
    "package.json": "{}",
    "tsconfig.json": '{"compilerOptions": {"paths": {"@/*": ["./src/*"], "@acme/*": ["./packages/*/src"]}}}',
    ".gitignore": "*.gen.ts\n",
    "src/user.ts": "",
    "src/user.service.ts": "",
    "src/db/index.ts": "",
    "src/view.tsx": "",
    "src/types.d.ts": "",
    "src/data.json": "{}",
    "src/Card.vue": "<script></script>",
    "packages/api/src/index.ts": "",
}
WEB_GOOD = """
import express from "express";
import { a } from "./user";
import b, { c } from './user.js'
import { service } from "./user.service";
import * as db from "./db";
import "./db/";
import { V } from "./view.jsx";
import T from "./types";
import data from "./data.json";
import Card from "./Card.vue?raw";
import { u } from "@/user";
import { x } from "@acme/from-npm";
import api from "@acme/api";
import { fs } from "#internal";
import logo from "./logo.svg";
import "./style.css";
import type { Nowhere } from "./nowhere";
import { type A, type B } from "./nowhere";
export type { C } from "./nowhere";
import { g } from "./routes.gen";
import { h } from "./generated/client";
import { p } from "./$types";
const later = () => import("./nowhere");
try { require("./nowhere"); } catch {}
if (1) { const n = require("./nowhere"); }
export const text = `import x from "./nowhere"`;
export { a } from "./user";
"""
WEB_BAD = {
    'import { a } from "./nowhere";': "leads to src/nowhere, which is not there",
    'import "../other.js";': "leads to other, which is not there",
    'export { a } from "@/nowhere";': "leads to src/nowhere, which is not there",
    'const a = require("./nowhere");': "leads to src/nowhere, which is not there",
    'import T, {\n  b,\n} from "./data/one.json";': "leads to src/data/one.json, which is not there",
}
OTHERS = {
    "composer.json": '{"autoload": {"psr-4": {"App\\\\": "app/", "Acme\\\\Pay\\\\": "pay/src"}}}',
    "app/Models/Order.php": "<?php\nnamespace App\\Models;\nclass Order {}\ninterface Priced {}\n",
    "pay/src/Client.php": "<?php\n",
    "go.mod": "module example.org/tally\n\nrequire example.org/tally/sdk v1.0.0\n",
    "report/report.go": "package report\n",
    "lib/tools.rb": "",
}
PHP_GOOD = """<?php
namespace App\\Http;
use Illuminate\\Model;
use App\\Models;
use App\\Models\\{Order, Priced as Cheap};
use App\\Http\\OrderController;
use App\\Unused;
use Acme\\Pay\\Extra\\Thing;
use function App\\nowhere;
/** @see Unused */
class A extends Model implements Cheap { public Order $o; public $c = OrderController::class; public Thing $t; }
"""
PHP_BAD = """<?php
namespace App\\Http;
use App\\Models\\User;
use Acme\\Pay\\Server as S;
class A { function a(User $u, S $s) {} }
"""
GO_GOOD = """package main

import (
\t"fmt"
\tr "example.org/tally/report"
\t_ "example.org/tally/sdk/client"
\t// "example.org/tally/nowhere"
\t"example.org/tally/v2/x"
\t"example.org/tally/gen/x"
\t"example.org/other/x"
)
"""
GO_BAD = 'package main\n\nimport (\n\t"fmt"\n\t"example.org/tally/nowhere"\n)\n'
RUBY_GOOD = "require 'json'\nrequire_relative 'tools'\nbegin\n  require_relative 'nowhere'\nrescue LoadError\nend\n"
RUBY_BAD = "require_relative 'tools'\nrequire_relative '../nowhere'\n"


def looked_at(folder: Path, before: dict[str, str], path: str, content: str) -> list[tuple[int, str]]:
    repo = make_repo(folder, before)
    onto = git(repo, "rev-parse", "HEAD")
    write_files(repo, {path: content})
    commit = commit_all(repo)
    found = leads.astray(find(repo), onto, commit, [path])
    assert all((each.path, each.check) == (path, "imports") for each in found)
    return [(each.line, each.message) for each in found]


@pytest.mark.parametrize(
    ("before", "path", "content"),
    [
        (PYTHON, "src/shop/contract.py", PYTHON_GOOD),
        (WEB, "src/contract.ts", WEB_GOOD),
        (WEB, "src/Contract.vue", f"<template />\n<script setup lang='ts'>{WEB_GOOD}</script>\n"),
        (
            WEB | {"src/tsconfig.json": '{"compilerOptions": {"rootDirs": [".", "../made"]}}'},
            "src/a.ts",
            'import "./x";',
        ),
        (OTHERS, "app/Http/A.php", PHP_GOOD),
        (OTHERS, "cmd/main.go", GO_GOOD),
        (OTHERS, "lib/contract.rb", RUBY_GOOD),
    ],
    ids=["python", "typescript", "vue", "rootDirs", "php", "go", "ruby"],
)
def test_what_is_there_and_what_is_in_doubt_passes(
    tmp_path: Path, before: dict[str, str], path: str, content: str
) -> None:
    assert looked_at(tmp_path / "repo", before, path, content) == []


@pytest.mark.parametrize(
    ("before", "path", "wrong"),
    [(PYTHON, "src/shop/contract.py", PYTHON_BAD), (WEB, "src/contract.ts", WEB_BAD)],
    ids=["python", "typescript"],
)
def test_what_leads_nowhere_is_told(tmp_path: Path, before: dict[str, str], path: str, wrong: dict[str, str]) -> None:
    found = looked_at(tmp_path / "repo", before, path, "\n" + "\n".join(wrong) + "\n")
    lines = [2 + "\n".join(list(wrong)[:n]).count("\n") + (n > 0) for n in range(len(wrong))]
    texts = [f"`{' '.join(text.split())}` {what}" for text, what in wrong.items()]
    assert found == list(zip(lines, texts, strict=True))


def test_it_is_told_in_other_languages_too(tmp_path: Path) -> None:
    def found(name: str, path: str, content: str) -> list[tuple[int, str]]:
        return looked_at(tmp_path / name, OTHERS, path, content)

    assert found("php", "app/Http/A.php", PHP_BAD) == [
        (3, "`use App\\Models\\User` leads to app/Models/User, which is not there"),
        (4, "`use Acme\\Pay\\Server` leads to pay/src/Server, which is not there"),
    ]
    assert found("go", "cmd/main.go", GO_BAD) == [
        (5, '`"example.org/tally/nowhere"` leads to nowhere, which is not there')
    ]
    assert found("ruby", "lib/contract.rb", RUBY_BAD) == [
        (2, "`require_relative '../nowhere'` leads to nowhere, which is not there")
    ]


def test_what_the_file_had_wrong_before_is_no_news_but_what_was_taken_away_is(tmp_path: Path) -> None:
    before = {"app/__init__.py": "", "app/a.py": "import app.old\nimport app.b\n", "app/b.py": ""}
    repo = make_repo(tmp_path / "repo", before)
    onto = git(repo, "rev-parse", "HEAD")
    (repo / "app/b.py").unlink()
    write_files(repo, {"app/a.py": "# moved\nimport app.old\nimport app.b\n"})
    found = leads.astray(find(repo), onto, commit_all(repo), ["app/a.py"])
    assert [(each.line, each.message) for each in found] == [(3, "`import app.b` leads to app/b, which is not there")]


UNSEEN = {
    "pyproject.toml": '[project]\nname = "shop"\ndependencies = ["alembic>=1", "shop[x]"]\n',
    "alembic/__init__.py": "",
    "helpers.py": "def a(): ...\n",
    "tests/conftest.py": "import sys\nsys.path.insert(0, 'tests/lib')\n",
    "tests/lib/helpers.py": "def make(): ...\n",
    "shop/__init__.py": "from shop._core import fast\n",
    "src/a.ts": "import m from './paraglide/messages'\n",
    "registration.php": "<?php",
    "composer.json": '{"autoload": {"psr-4": {"Acme\\\\Shop\\\\": ""}}}',
    "Model/Order.php": "<?php\nnamespace Acme\\Shop\\Model;\nclass Order {}\n",
    "ext/fast/extconf.rb": "",
}
IN_DOUBT = {
    "alembic/versions/1.py": "from alembic import op\n",
    "tests/test_a.py": "from helpers import make\n",
    "shop/late.py": "from ._core import fast\nfrom shop.gen import orders_pb2\n",
    "shop/gen/__init__.py": "",
    "src/b.ts": "import m from './paraglide/messages.js'\nimport { r } from './routes.gen'\n",
    "Model/A.php": "<?php\nuse Acme\\Shop\\Model\\OrderFactory;\nclass A { public OrderFactory $f; }\n",
    "lib/fast.rb": "require_relative 'fast/fast'\n",
}
SURE = {
    "shop/wrong.py": "from shop.nowhere import x\n",
    "src/wrong.ts": "import './nowhere'\n",
    "Model/Wrong.php": "<?php\nuse Acme\\Shop\\Model\\Bill;\nclass B { public Bill $b; }\n",
}


def test_what_comes_from_where_nobody_can_see_it_is_no_fault(tmp_path: Path) -> None:
    """What is installed, put on the way by a `conftest.py`, compiled, imported so by others, or made by a framework."""
    repo = make_repo(tmp_path / "repo", UNSEEN)
    onto = git(repo, "rev-parse", "HEAD")
    write_files(repo, IN_DOUBT | SURE)
    found = leads.astray(find(repo), onto, commit_all(repo), [*IN_DOUBT, *SURE])
    assert [each.path for each in found] == list(SURE)


PIECES = st.sampled_from(
    ["import ", "from ", ".", "..", "a.b", "'./x'", '"', "{", "}", "\n", "(", "use A\\B;", "<?php ", "*"]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=40))
def test_nothing_that_a_file_holds_is_too_much(base: Base, text: str) -> None:
    content = text.encode("utf-8", "surrogatepass")
    for find_leads, path in (
        (python.leads, "a/x.py"),
        (web.leads, "a/x.ts"),
        (web.leads, "x.vue"),
        (others.php_leads, "x.php"),
        (others.go_leads, "x.go"),
        (others.ruby_leads, "x.rb"),
    ):
        for lead in find_leads(path, content, base):
            assert lead.targets
            assert all(lead.targets)


def test_words_that_begin_a_list_of_types_again_and_again_take_no_time(base: Base) -> None:
    content = "import { " + "type " * 5_000 + "x, y } from './nowhere'"
    assert [lead.targets for lead in web.leads("a/x.ts", content.encode(), base)] in ([], [("a/nowhere",)])


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    w = world(tmp_path_factory.mktemp("base"), OTHERS | {"a/b.py": ""})
    return Base(w.store, w.base)
