"""What a context pack shows: nearest first, never more than its limit, no secrets, valid text whatever is in it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ropeteam.core import pack, pack_excerpts, pack_paths, pack_ranking
from ropeteam.core.briefing import Briefing, Neighbour
from ropeteam.core.model import Feature, FileNote, Kind, NamedFile, Unit
from ropeteam.core.pack import Excerpt, Known, Signature, best, plain
from ropeteam.core.pack_excerpts import Content, Wanted, chosen, own_files, wanted
from ropeteam.core.pack_map import folders_text, map_text
from ropeteam.core.settings import Reading
from ropeteam.core.survey import PlannedFile, Survey
from ropeteam.prompts import packs

NAMES = st.text(st.sampled_from("ab/.`#-\n \udc80ü"), min_size=1, max_size=20) | st.sampled_from(
    ["a.py", "b/c.py", "b/d.ts", "````\n# x", "x" * 400, "\ufeff\x00\x1b[0m", "- a\n- b"]
)
SIGNATURES = st.builds(
    lambda texts, step: tuple(
        Signature(line=n + 1, text=plain(text), depth=n % 3, minor=n % step == 0) for n, text in enumerate(texts * 4)
    ),
    st.lists(NAMES, max_size=8),
    st.integers(1, 5),
)
FILES = st.builds(
    lambda path, signatures, those, near: Known(
        path=path, lines=len(those), signatures=signatures, uses=tuple(those), used_by=tuple(those), near=near
    ),
    NAMES,
    SIGNATURES,
    st.lists(NAMES, max_size=6),
    st.booleans(),
)


# ---- who is given one


KINDS: tuple[Kind, ...] = ("contract", "unit", "single", "rest", "belay", "plan")
PARTS = ("contract", "unit")


def given_to(share: str, kind: Kind, *, one_reading: bool, forked: bool = False, scout: bool = False) -> pack.Given:
    reading = Reading(share=share)  # type: ignore[arg-type]
    return pack.given(reading, kind, one_reading=one_reading, forked=forked, scout=scout)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", ["auto", "pack", "fork", "none"])
def test_the_map_is_in_what_all_share_where_each_begins_a_conversation_of_its_own(share: str, kind: Kind) -> None:
    packs = share in ("auto", "pack")
    anew = given_to(share, kind, one_reading=False)
    assert anew == pack.Given(shared_map=packs, excerpts=packs and kind in PARTS)
    assert given_to(share, kind, one_reading=False, forked=True) == pack.Given(shared_map=packs)


@pytest.mark.parametrize("kind", KINDS)
def test_where_they_go_on_from_one_reading_only_who_reads_anew_is_given_a_pack(kind: Kind) -> None:
    assert given_to("auto", kind, one_reading=True, forked=True) == pack.Given()
    assert given_to("auto", kind, one_reading=True, scout=True) == pack.Given()
    assert given_to("auto", kind, one_reading=True) == pack.Given(own_map=True, excerpts=kind in PARTS)
    assert given_to("fork", kind, one_reading=True) == pack.Given()


@pytest.mark.parametrize("one_reading", [True, False])
@pytest.mark.parametrize("share", ["auto", "pack", "fork", "none"])
def test_what_all_share_is_the_same_for_every_attempt_of_a_run(share: str, one_reading: bool) -> None:
    """And nobody who begins anew has less than where there is no one reading."""
    ways = [(k, f, s) for k in KINDS for f in (True, False) for s in (True, False)]
    every = [(given_to(share, k, one_reading=one_reading, forked=f, scout=s), f or s) for k, f, s in ways]
    assert len({given.shared_map for given, _ in every}) == 1
    packs = share in ("auto", "pack")
    assert all(given.shared_map != given.own_map for given, told in every if packs and not told)
    assert not any(given.shared_map and given.own_map for given, _ in every)


# ---- the map


@given(st.lists(FILES, max_size=12, unique_by=lambda f: f.path), st.lists(NAMES, max_size=60), st.integers(0, 4000))
@settings(max_examples=40, deadline=None)
def test_a_map_is_never_larger_than_its_limit_and_stays_in_its_fence(
    files: list[Known], others: list[str], limit: int
) -> None:
    every = [*(file.path for file in files), *others]
    text = map_text(files, every, limit)
    assert len(text) <= limit
    assert text == map_text(files, list(reversed(every)), limit), "it does not depend on the order of the paths"
    told = packs.repository_map(text)
    assert told.encode().decode() == told
    assert len(told) <= (len(text) + packs.map_frame() if text else 0)
    tokens = MarkdownIt("commonmark").parse(told)
    assert [token.type for token in tokens if token.type in ("heading_open", "fence")] == (
        ["heading_open", "fence"] if text else []
    )


def known(path: str, count: int = 0, *, near: bool = False) -> Known:
    each = tuple(Signature(line=n + 1, text=f"def f{n}()") for n in range(count))
    return Known(path=path, lines=10, signatures=each, near=near)


def test_every_file_gets_a_little_before_the_nearest_gets_more() -> None:
    files = [known("a.py", 30, near=True), *(known(f"b{n}.py", 3) for n in range(8))]
    text = map_text(files, [f.path for f in files], 700)
    assert [line for line in text.split("\n") if line.endswith("lines)")] == [f"{f.path}  (10 lines)" for f in files]
    assert "… 24 more" in text
    wide = map_text(files, [f.path for f in files], 4000)
    assert "def f29()" in wide
    assert "more" not in wide


def test_what_is_not_shown_is_counted_by_folder() -> None:
    every = [f"src/a/{n}.py" for n in range(9)] + [f"src/a/x/{n}.ts" for n in range(4)] + ["docs/a.md", "README.md"]
    assert folders_text(every, 400).split("\n") == [
        "Other files:",
        "README.md",
        "docs/ 1 md",
        "src/a/ 9 py",
        "src/a/x/ 4 ts",
    ]
    assert folders_text(every, 55).split("\n") == ["Other files:", "README.md", "docs/ 1 md", "src/a/ 9 py, 4 ts"]
    assert folders_text(every, 45).split("\n")[-1] == "and 2 more folders"
    assert folders_text(every, 10) == ""


def test_what_is_outermost_is_kept_when_lines_are_cut() -> None:
    each = [
        Signature(line=1, text="LIMIT", minor=True),
        Signature(line=2, text="class A"),
        Signature(line=3, text="def a()", depth=1),
        Signature(line=4, text="class B"),
    ]
    assert [one.text for one in best(each, 2)] == ["class A", "class B"]
    assert [one.text for one in best(each, 3)] == ["LIMIT", "class A", "class B"]
    assert best(each, 9) == each


@given(st.text(max_size=400), st.integers(5, 60))
def test_words_of_a_repository_are_one_printable_line(words: str, most: int) -> None:
    text = plain(words, most)
    assert len(text) <= most
    assert text.isprintable()
    assert "```" not in text


# ---- ranking

CODE = (
    "admin/app.py",
    "shop/app.py",
    "shop/cart.py",
    "shop/db.py",
    "shop/order.py",
    "shop/prices.py",
    "shop/tax/rates.py",
    "shop/views/cart.py",
    "tests/test_order.py",
)


def ranked(**more: object) -> tuple[list[str], int]:
    how: dict[str, object] = dict.fromkeys(("named", "neighbours", "uses", "used_by", "tests", "hubs"), ())
    return pack_ranking.ranked(CODE, **{**how, "most": 20, **more})  # type: ignore[arg-type]


def test_what_the_feature_is_about_comes_first_then_what_is_near_to_it() -> None:
    order, close = ranked(
        named=["shop/order.py"],
        neighbours=["shop/prices.py"],
        uses=["shop/db.py"],
        used_by=["shop/views/cart.py", "shop/cart.py"],
        tests=["tests/test_order.py"],
        hubs=["admin/app.py", "shop/app.py"],
    )
    assert order == [
        "shop/order.py",
        "shop/prices.py",
        "shop/db.py",
        "shop/cart.py",
        "shop/views/cart.py",
        "tests/test_order.py",
        "shop/app.py",
        "admin/app.py",
        "shop/tax/rates.py",
    ]
    assert close == 6
    assert ranked(named=["shop/order.py", "gone.py"], most=2)[0] == ["shop/order.py", "shop/app.py"]


def test_a_feature_that_names_nothing_shows_hubs_then_what_is_not_deep() -> None:
    order, close = ranked(hubs=["shop/app.py"])
    assert close == 0
    assert order[0] == "shop/app.py"
    assert sorted(order) == sorted(CODE)


def test_named_files_are_those_of_the_survey_and_those_that_are_only_mentioned() -> None:
    survey = Survey(files=(PlannedFile(path="shop/order.py"), PlannedFile(path="shop/returns.py", status="A")))
    files = (NamedFile(path="shop/db.py", mentioned=True), NamedFile(path="shop/*.sql"), NamedFile(path="gone/"))
    feature = Feature(name="f", source="stdin", files=files)
    assert pack_ranking.named_by(feature, survey, CODE, CODE) == (["shop/order.py", "shop/db.py"], ["shop/returns.py"])


def test_beside_a_new_file_is_one_of_its_kind_of_middle_size() -> None:
    inside = {"shop": ["shop/__init__.py", "shop/a.py", "shop/b.py", "shop/c.py", "shop/x.ts", "shop/test_a.py"]}
    sizes = {"shop/a.py": 10, "shop/b.py": 5000, "shop/c.py": 300, "shop/__init__.py": 400}
    assert pack_ranking.beside("shop/new.py", inside, sizes) == ["shop/c.py", "shop/a.py", "shop/b.py"]
    assert pack_ranking.beside("shop/test_new.py", inside, sizes) == ["shop/test_a.py"]
    assert pack_ranking.beside("other/new.py", inside, sizes) == []
    assert pack_ranking.beside("shop/Makefile", inside, sizes) == []


# ---- excerpts

EVERY = ("shop/app.py", "shop/big.py", "shop/cart.py", "shop/db.py", "shop/order.py", "shop/types.py", "docs/a.md")
UNIT = Unit(
    id="03",
    needs=("02",),
    writes=("shop/cart.py", "shop/big.py", "shop/returns.py"),
    reads=("docs/*.md", "shop/cart.py"),
)
TOLD = Briefing(
    unit=UNIT,
    contract=(FileNote(path="shop/types.py"), FileNote(path="shop/gone.py")),
    others=(
        Neighbour(unit="02", state="validated", changed=("shop/order.py", "tests/test_order.py")),
        Neighbour(unit="04", state="validated", changed=("shop/app.py",)),
    ),
)


def test_a_unit_is_given_what_it_reads_and_does_not_change() -> None:
    sizes = dict.fromkeys(EVERY, 500) | {"shop/big.py": 40_000}
    asked: list[list[str]] = []

    def imported(own: object) -> list[str]:
        asked.append(list(own))  # type: ignore[call-overload]
        return ["shop/db.py", "shop/cart.py"]

    found = wanted(TOLD, EVERY, sizes, lambda _: True, imported)
    assert [(one.path, one.why, one.wish) for one in found] == [
        ("shop/types.py", "the contract declares it", "whole"),
        ("docs/a.md", "your task names it", "whole"),
        ("shop/order.py", "made by the unit 02", "outline"),
        ("shop/db.py", "beside your new file shop/returns.py", "whole"),
        ("shop/big.py", "yours, and large", "outline"),
    ]
    assert asked == [["shop/big.py", "shop/cart.py"]]
    assert "docs/a.md" not in [
        one.path for one in wanted(TOLD, EVERY, sizes, lambda path: path != "docs/a.md", imported)
    ]
    assert wanted(Briefing(), EVERY, sizes, lambda _: True, imported) == []


def test_own_files_are_those_that_the_patterns_match() -> None:
    assert own_files(("shop/",), EVERY)[0] == [path for path in EVERY if path.startswith("shop/")]
    assert own_files(("*.md", "shop/new.py", "lib/"), EVERY) == (["docs/a.md"], ["shop/new.py"])
    assert own_files(("**",), EVERY) == ([], [])


def length(one: Excerpt) -> int:
    return len(packs.excerpt(one)) + 2


CONTENTS = st.builds(
    Content,
    text=st.text(max_size=300) | st.text(st.sampled_from("`#\n\r x"), max_size=200) | st.just("x = 1\n" * 3000),
    signatures=SIGNATURES,
    language=st.sampled_from(["python", "text", ""]),
)
WANTED = st.builds(Wanted, path=NAMES, why=NAMES, wish=st.sampled_from(["whole", "outline"]))


@given(st.lists(st.tuples(WANTED, CONTENTS), max_size=8), st.integers(0, 20_000))
@settings(max_examples=40, deadline=None)
def test_excerpts_are_never_more_than_there_is_room_for(those: list[tuple[Wanted, Content]], room: int) -> None:
    contents = {want.path: content for want, content in those}
    found = chosen([want for want, _ in those], contents, room, length)
    told = packs.excerpts(found)
    assert len(told) <= (room + packs.excerpts_frame() if found else 0)
    assert told.encode().decode() == told
    tokens = MarkdownIt("commonmark").parse(told)
    kinds = [token.type for token in tokens if token.type in ("heading_open", "fence")]
    assert kinds == (["heading_open"] + ["fence"] * len(found) if found else [])


def test_a_file_is_whole_where_it_can_be_else_an_outline_else_its_start() -> None:
    signatures = tuple(Signature(line=n, text=f"def f{n}()") for n in range(1, 31))
    long = Content(text="x = 1\n" * 3000, signatures=signatures)
    wants = [Wanted(path="a.py", why="w")]
    (outline,) = chosen(wants, {"a.py": long}, 10_000, length)
    assert (outline.part, outline.text.split("\n")[29]) == ("outline", "30: def f30()")
    (cut,) = chosen(wants, {"a.py": long}, 420, length)
    assert (cut.part, len(cut.text.split("\n"))) == ("outline", 20)
    (start,) = chosen(wants, {"a.py": Content(text="words\n" * 3000)}, 400, length)
    assert start.part == "start"
    assert 20 < len(start.text.split("\n")) <= pack_excerpts.START_LINES
    (whole,) = chosen(wants, {"a.py": Content(text="x = 1\n", signatures=signatures)}, 400, length)
    assert (whole.part, whole.text) == ("whole", "x = 1\n")
    key = "-----BEGIN RSA " + "PRIVATE KEY-----\nabc"
    assert chosen(wants, {"a.py": Content(text=key)}, 4000, length) == []


@pytest.mark.parametrize("key", ["sk-" + "ant-api03-" + "aB3" * 12, "gh" + "p_" + "a1" * 18, "AK" + "IA" + "A1" * 8])
def test_what_has_the_form_of_a_key_is_not_sent_to_a_provider(key: str) -> None:
    assert pack_paths.holds_secret(f'KEY = "{key}"\n')
    for harmless in ("sk-loading-spinner-of-the-whole-page", "task-1234567890123456789012345", "AKIAS", "ghp_x"):
        assert not pack_paths.holds_secret(f'x = "{harmless}"\n')


# ---- what is not shown


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        ".env.production",
        "config/.env.local",
        "deploy/server.pem",
        "id_rsa",
        "home/.ssh/config",
        ".npmrc",
        "a/.netrc",
        "config/secrets.yml",
        "secrets.json",
        "aws/credentials",
        "my-service-account.json",
        "terraform.tfvars",
        "infra/prod.tfstate",
        "config/master.key",
        "app.p12",
        "db_password.txt",
        "secrets/a.py",
        ".aws/config",
        "wp-config.php",
        "local.settings.json",
    ],
)
def test_files_that_hold_secrets_by_their_name_are_not_shown(path: str) -> None:
    assert pack_paths.is_secret(path)
    assert not pack_paths.is_shown(path)


@pytest.mark.parametrize(
    "path",
    [
        ".env.example",
        "src/secrets.py",
        "app/credentials.rb",
        "src/passwordReset.ts",
        "keys.go",
        "config/settings.yml",
        "env.py",
        "src/tokens/index.ts",
        "README.md",
        "docs/keys.md",
    ],
)
def test_code_about_secrets_is_shown(path: str) -> None:
    assert pack_paths.is_shown(path)


@pytest.mark.parametrize(
    "path",
    [
        *("vendor/a.php", "node_modules/x/i.js", "dist/a.js", "a.min.js", "yarn.lock", "x_pb2.py"),
        *("logo.png", "a/b.woff2"),
    ],
)
def test_what_is_made_or_no_text_is_not_shown(path: str) -> None:
    assert not pack_paths.is_shown(path)
