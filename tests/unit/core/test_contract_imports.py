"""What of a contract's imports is a fault: what leads nowhere for sure."""

from __future__ import annotations

from ropeteam.core.contract_imports import Lead, Tree, brought_in, faults
from ropeteam.core.model import Finding

TREE = Tree(
    [
        "app/__init__.py",
        "app/models/order.py",
        "app/fast.cpython-311-x86_64-linux-gnu.so",
        "web/user.service.ts",
        "web/types.d.ts",
        "web/Button.ios.tsx",
        "linked",
    ],
    beside=["node_modules/", "config/local.py"],
    ignores=[("", "*.gen.ts\n# no\n!x\n/secret/\n"), ("web", "api\n")],
)


def lead(*targets: str, names: tuple[str, ...] = (), known: frozenset[str] | None = None) -> Lead:
    return Lead(
        path="app/x.py",
        line=3,
        text="from  .a\n import b",
        targets=targets,
        names=names,
        module="app/a.py",
        known=known,
    )


def test_what_is_there_in_any_form_is_no_fault() -> None:
    there = ["app", "app/models", "app/models/order", "app/models/order.py", "app/fast", "web/user.service"]
    there += ["web/types", "web/types.d", "web/Button"]
    assert faults([lead(target) for target in there], TREE) == ()
    assert faults([lead("app/nowhere", "app/models/order")], TREE) == ()  # one of them is enough


def test_what_leads_nowhere_is_told_with_file_line_and_words() -> None:
    (found,) = faults([lead("app/models/user")], TREE)
    assert (found.path, found.line, found.check) == ("app/x.py", 3, "imports")
    assert found.message == "`from .a import b` leads to app/models/user, which is not there"


def test_what_may_be_made_elsewhere_passes() -> None:
    doubts = ["config/local", "node_modules/x", "web/client.gen", "secret/key", "web/api/user", "linked/anything"]
    doubts += [
        "app/generated/user",
        "app/user_pb2",
        "app/_version",
        "app/build/x",
        "web/.svelte-kit/types",
        "app/user.generated",
    ]
    assert faults([lead(target) for target in doubts], TREE) == ()
    names = ["app/generation", "app/rebuild", "app/versions", "config/other", "app/vendor", "secrets/key"]
    assert len(faults([lead(target) for target in names], TREE)) == len(names)


def test_names_count_only_where_all_of_a_module_are_known() -> None:
    assert faults([lead("app", names=("Order",))], TREE) == ()
    assert faults([lead("app", names=("Order", "models", "_version"), known=frozenset({"Order"}))], TREE) == ()
    (found,) = faults([lead("app", names=("Order", "User"), known=frozenset({"Order"}))], TREE)
    assert found.message == "`from .a import b` takes User from app/a.py, which has no such name"


def test_what_was_wrong_before_is_no_news() -> None:
    old = Finding(path="a.py", line=3, message="`import x` leads to x, which is not there", check="imports")
    new = Finding(path="b.py", line=9, message=old.message, check="imports")
    moved = Finding(path="a.py", line=7, message=old.message, check="imports")
    assert brought_in([moved, new], [old]) == (new,)
