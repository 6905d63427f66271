"""Which files import which, language by language, in real repositories."""

from __future__ import annotations

from pathlib import Path

import pytest

from repositories import git, make_repo
from ropeteam.git import find
from ropeteam.planners.static.base import Base
from ropeteam.planners.static.imports import Imports

PYTHON = {
    "src/shop/__init__.py": "",
    "src/shop/app.py": (
        "import shop.views\nfrom shop.models import Order, nothing\nfrom .services import orders as o\n"
        "from . import settings\nimport json\n"
    ),
    "src/shop/models/__init__.py": "from .order import Order\nfrom .user import User\n",
    "src/shop/models/order.py": "from shop.models.user import User\nclass Order: ...\n",
    "src/shop/models/user.py": "class User: ...\n",
    "src/shop/services/__init__.py": "",
    "src/shop/services/orders.py": "from ..models.order import Order\nfrom ...outside import x\n",
    "src/shop/settings.py": "from __future__ import annotations\n",
    "src/shop/views.py": "def broken(:\n  from shop import settings\n",
    "src/shop/old.py": "print 'python 2'\nfrom shop.settings import x\nimport shop.app, json\n",
    "src/shop/pages.py": "def page(r): return render(r, 'orders/list.html')\n",
    "src/shop/templates/orders/list.html": "{% extends 'base.html' %}\n",
    "tests/test_app.py": "def test():\n    from shop import app\n    from tests.support import world\n",
    "tests/support.py": "",
}
WEB = {
    "package.json": '{"workspaces": ["packages/*", "web"]}',
    "packages/types/package.json": '{"name": "@shop/types", "main": "dist/index.js"}',
    "packages/types/src/index.ts": 'export * from "./order";\nexport { User } from "./user.js";\n',
    "packages/types/src/order.ts": "export type Order = {};\n",
    "packages/types/src/user.ts": "export type User = {};\n",
    "server/src/app.ts": (
        'import { routes } from "./routes/orders.js";\nconst mail = require("./mail");\nimport "./register";\n'
        'const lazy = () => import("./lazy");\nimport express from "express";\n'
        'import type { Order } from "@shop/types";\n'
    ),
    "server/src/routes/orders.ts": 'import { db } from "../db";\nexport const routes = 1;\n',
    "server/src/db/index.ts": "export const db = 1;\n",
    "server/src/mail.js": "module.exports = {};\n",
    "server/src/register.ts": "",
    "server/src/lazy.tsx": "export const x = <div />;\n",
    "web/tsconfig.json": '{\n  // as vite has them\n  "compilerOptions": {"baseUrl": ".",'
    ' "paths": {"@/*": ["src/*"], "#ui": ["src/ui/index.ts"]},},\n}',
    "web/src/App.vue": '<script setup lang="ts">\nimport Cart from "@/components/Cart.vue";\n'
    'import ui from "#ui";\n</script>\n<template />\n',
    "web/src/components/Cart.vue": '<script>\nimport { useCart } from "../hooks/useCart";\n</script>\n',
    "web/src/hooks/useCart.ts": 'import { get } from "src/api";\nimport data from "./data.json";\n',
    "web/src/hooks/data.json": "{}",
    "web/src/hooks/useCart.test.ts": 'vi.mock("@/api");\nimport { useCart } from "./useCart";\n',
    "web/src/api.ts": "export const get = 1;\n",
    "web/src/ui/index.ts": "export default 1;\n",
    "admin/jsconfig.json": '{"extends": "./base.json"}',
    "admin/base.json": '{"compilerOptions": {"paths": {"~/*": ["./app/*"]}}}',
    "admin/app/main.jsx": 'import x from "~/x";\n',
    "admin/app/x.jsx": "export default 1;\n",
    "plain/src/main.js": 'import y from "@/y";\n',
    "plain/src/y.js": "export default 1;\n",
}
PHP = {
    "composer.json": '{"autoload": {"psr-4": {"App\\\\": "app/", "Acme\\\\Pay\\\\": ["packages/pay/src"]}}}',
    "app/Models/Order.php": (
        "<?php\nnamespace App\\Models;\nuse Illuminate\\Model;\n"
        "class Order extends Model { public function user() { return $this->belongsTo(User::class); } }\n"
    ),
    "app/Models/User.php": "<?php\nnamespace App\\Models;\nclass User {}\n",
    "app/Http/OrderController.php": (
        "<?php\nnamespace App\\Http;\nuse App\\Models\\{Order, User as Person};\nuse Acme\\Pay\\Client;\n"
        "class OrderController { public function show(Order $o, \\App\\Jobs\\Mail $m) "
        "{ return view('orders.show', compact('o')); }\n"
        "  public function page() { return Inertia::render('Orders/Index'); } }\n"
    ),
    "app/Jobs/Mail.php": "<?php\nnamespace App\\Jobs;\nclass Mail { use Retries; }\n",
    "app/Jobs/Retries.php": "<?php\nnamespace App\\Jobs;\ntrait Retries {}\n",
    "packages/pay/src/Client.php": "<?php\nnamespace Acme\\Pay;\nclass Client {}\n",
    "resources/views/orders/show.blade.php": "@extends('layouts.app')\n<x-order.line /> <livewire:cart-list />\n",
    "resources/views/layouts/app.blade.php": "@include('partials.nav')\n",
    "resources/views/partials/nav.blade.php": "",
    "resources/views/components/order/line.blade.php": "",
    "resources/views/livewire/cart-list.blade.php": "",
    "resources/js/Pages/Orders/Index.vue": "",
    "routes/web.php": "<?php\nuse App\\Http\\OrderController;\nrequire __DIR__.'/auth.php';\n",
    "routes/auth.php": "<?php\n",
}
GO = {
    "go.mod": "module example.org/tally\n",
    "cmd/main.go": (
        'package main\n\nimport (\n\t"fmt"\n\t"example.org/tally/report"\n)\n\n'
        "func main() { fmt.Println(report.Make()) }\n"
    ),
    "report/report.go": "package report\n\nfunc Make() Report { return build() }\n",
    "report/build.go": "package report\n\ntype Report struct{}\n\nfunc build() Report { return Report{} }\n",
    "report/unused.go": "package report\n\nfunc Unused() {}\n",
    "report/report_test.go": 'package report\n\nimport "testing"\n\nfunc TestMake(t *testing.T) { Make() }\n',
}
JAVA = {
    "src/main/java/org/shop/order/Order.java": "package org.shop.order;\npublic class Order { Line line; }\n",
    "src/main/java/org/shop/order/Line.java": "package org.shop.order;\npublic class Line {}\n",
    "src/main/java/org/shop/web/OrderController.java": (
        "package org.shop.web;\nimport org.shop.order.Order;\nimport static org.shop.util.Texts.trim;\n"
        "import org.shop.mail.*;\nclass OrderController { Mailer m; }\n"
    ),
    "src/main/java/org/shop/util/Texts.java": "package org.shop.util;\npublic class Texts {}\n",
    "src/main/java/org/shop/mail/Mailer.java": "package org.shop.mail;\npublic class Mailer {}\n",
    "src/main/java/org/shop/mail/Queue.java": "package org.shop.mail;\npublic class Queue {}\n",
    "src/test/java/org/shop/order/OrderTest.java": "package org.shop.order;\nclass OrderTest { Order o; }\n",
}
RUBY = {
    "app/models/order.rb": (
        "class Order < ApplicationRecord\n  has_many :line_items\n  belongs_to :buyer, class_name: 'User'\nend\n"
    ),
    "app/models/line_item.rb": "class LineItem < ApplicationRecord\nend\n",
    "app/models/user.rb": "class User < ApplicationRecord\nend\n",
    "app/models/billing/invoice.rb": "module Billing\n  class Invoice\n    def total = Tax.new\n  end\nend\n",
    "app/models/billing/tax.rb": "module Billing\n  class Tax\n  end\nend\n",
    "app/controllers/orders_controller.rb": (
        "class OrdersController < ApplicationController\n  def show\n    @order = Order.find(1)\n"
        "    Billing::Invoice.new\n    render 'orders/form'\n  end\nend\n"
    ),
    "app/views/orders/_form.html.erb": "",
    "lib/tools/csv.rb": "require_relative '../tools'\nrequire 'tools/rows'\n",
    "lib/tools.rb": "",
    "lib/tools/rows.rb": "",
}
CASES = {
    "python": (
        PYTHON,
        {
            "src/shop/app.py": "models/__init__ models/order services/orders settings views",
            "src/shop/models/order.py": "models/user",
            "src/shop/services/orders.py": "models/order",
            "src/shop/views.py": "settings",
            "src/shop/old.py": "app settings",
            "src/shop/pages.py": "orders/list",
            "tests/test_app.py": "src/shop/app support",
        },
    ),
    "web": (
        WEB,
        {
            "server/src/app.ts": "routes/orders mail register lazy types/src/order",
            "server/src/routes/orders.ts": "db/index",
            "web/src/App.vue": "components/Cart ui/index",
            "web/src/components/Cart.vue": "hooks/useCart",
            "web/src/hooks/useCart.ts": "src/api hooks/data",
            "web/src/hooks/useCart.test.ts": "src/api hooks/useCart",
            "admin/app/main.jsx": "app/x",
            "plain/src/main.js": "src/y",
        },
    ),
    "php": (
        PHP,
        {
            "app/Models/Order.php": "Models/User",
            "app/Http/OrderController.php": "Models/Order Models/User Client Jobs/Mail orders/show Orders/Index",
            "app/Jobs/Mail.php": "Jobs/Retries",
            "resources/views/orders/show.blade.php": "layouts/app order/line livewire/cart-list",
            "resources/views/layouts/app.blade.php": "partials/nav",
            "routes/web.php": "OrderController routes/auth",
        },
    ),
    "go": (
        GO,
        {
            "cmd/main.go": "report/report",
            "report/report.go": "report/build",
            "report/report_test.go": "report/report",
        },
    ),
    "java": (
        JAVA,
        {
            "src/main/java/org/shop/order/Order.java": "order/Line",
            "src/main/java/org/shop/web/OrderController.java": "order/Order util/Texts mail/Mailer",
            "src/test/java/org/shop/order/OrderTest.java": "main/java/org/shop/order/Order",
        },
    ),
    "ruby": (
        RUBY,
        {
            "app/models/order.rb": "models/line_item models/user",
            "app/models/billing/invoice.rb": "billing/tax",
            "app/controllers/orders_controller.rb": "models/order billing/invoice orders/_form",
            "lib/tools/csv.rb": "lib/tools lib/tools/rows",
        },
    ),
}


def imports_of(files: dict[str, str], tmp_path: Path) -> Imports:
    top = make_repo(tmp_path / "repo", files)
    return Imports(Base(find(top), git(top, "rev-parse", "HEAD")), frozenset(files))


@pytest.mark.parametrize("language", CASES)
def test_imports_are_resolved_to_files_of_the_repository(language: str, tmp_path: Path) -> None:
    files, expected = CASES[language]
    imports = imports_of(files, tmp_path)
    for path, names in expected.items():
        found = imports.of(path)
        wanted = {one for name in names.split() for one in files if _bare(one).endswith("/" + name) and one != path}
        assert set(found) == wanted, path


def test_ruby_is_resolved_without_its_grammar_too(tmp_path: Path, without_ruby: None) -> None:
    commented = {"app/models/none.rb": "# User\nclass None\n  =begin\nend\n=begin\nOrder\n=end\n"}
    files, expected = RUBY | commented, CASES["ruby"][1]
    imports = imports_of(files, tmp_path)
    for path in expected:
        with_it = {one for name in expected[path].split() for one in files if f"/{name}." in f"/{one}"}
        assert set(imports.of(path)) == with_it, path
    assert imports.of("app/models/none.rb") == frozenset()


def _bare(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"/{folder}/{name.partition('.')[0]}{'.test' * ('.test.' in name)}"


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a.py", "\0\0"),
        ("a.py", "import ."),
        ("a.py", "from .......x import y\nfrom . import *"),
        ("a.ts", 'import x from "'),
        ("a.ts", 'import x from "../../../../x"; import "/"; import "."; require()'),
        ("a.vue", "<script>import</script>"),
        ("a.php", "<?php use ; use A\\{B; namespace"),
        ("a.php", "no php at all"),
        ("a.go", 'import "x'),
        ("a.java", "import ;"),
        ("a.rb", "require_relative '../../../x'\nrequire ''\nA::"),
    ],
)
def test_broken_files_import_nothing_and_break_nothing(path: str, content: str, tmp_path: Path) -> None:
    imports = imports_of({path: content, "b.txt": ""}, tmp_path)
    assert imports.of(path) == frozenset()


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    imports = imports_of({"a.py": "import b\n" + "#" * 500_000, "b.py": ""}, tmp_path)
    assert imports.of("a.py") == frozenset()


def test_configurations_that_extend_each_other_in_a_circle_end(tmp_path: Path) -> None:
    files = {
        "tsconfig.json": '{"extends": "./other.json"}',
        "other.json": '{"extends": "./tsconfig.json"}',
        "a.ts": 'import x from "~x/y";\nimport b from "./b";\n',
        "b.ts": "",
    }
    assert imports_of(files, tmp_path).of("a.ts") == frozenset({"b.ts"})
