"""Every file of the folder is read, to the byte; what cannot be used is refused with the file and the line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ropeteam import features
from ropeteam.core.model import Feature
from ropeteam.errors import BadInput

GOLDEN = Path(__file__).parent.parent / "golden/features"
INTENT = "# Title\n\nREQ-001: it works\n"


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    repository = tmp_path / "repository"
    repository.mkdir()
    monkeypatch.chdir(repository)
    return repository


def folder(top: Path, **files: str | bytes) -> Path:
    """A feature `it` with an intent and a research; keywords: `i_intent` is the file `01-intent.md`."""
    place = top / ".workspace/features/it"
    place.mkdir(parents=True)
    names = {"intent": "01-intent.md", "research": "01-research.md"}
    for key, content in {"intent": INTENT, "research": "Research.\n", **files}.items():
        data = content.encode() if isinstance(content, str) else content
        (place / names.get(key, key)).write_bytes(data)
    return place


def kinds(feature: Feature) -> list[tuple[str, str]]:
    return [(document.kind, document.path.rpartition("/")[2]) for document in feature.documents]


def test_every_file_is_read_in_the_order_of_the_phases(top: Path) -> None:
    place = folder(top)
    for name in ("04-verify.md", "05-ship.md", "02-tests.md", "02-implementation.md", "00-overview.md", "notes.MD"):
        (place / name).write_text(name)
    (place / "01-architecture.md").write_text("Design.")
    (place / "mockup.png").write_bytes(b"\x89PNG")
    (place / ".DS_Store").write_bytes(b"\0")
    (place / "nested").mkdir()
    feature = features.load("it", top=top)
    assert kinds(feature) == [
        ("intent", "01-intent.md"),
        ("research", "01-research.md"),
        ("architecture", "01-architecture.md"),
        ("overview", "00-overview.md"),
        ("implementation", "02-implementation.md"),
        ("tests", "02-tests.md"),
        ("log", "04-verify.md"),
        ("log", "05-ship.md"),
        ("log", "notes.MD"),
    ]
    assert feature.notices == (".workspace/features/it/mockup.png is not Markdown and was not read.",)


def test_nested_features_are_features_of_their_own(top: Path) -> None:
    inner = top / ".workspace/features/shop/checkout"
    inner.mkdir(parents=True)
    for place, title in ((inner.parent, "Shop"), (inner, "Checkout")):
        (place / "01-intent.md").write_text(f"# {title}\n\nWords.\n")
        (place / "01-research.md").write_text("Research.\n")
    assert features.existing(top) == ["shop", "shop/checkout"]
    assert features.load("shop", top=top).title == "Shop"
    assert len(features.load("shop", top=top).documents) == 2
    assert features.load("shop/checkout", top=top).title == "Checkout"


@pytest.mark.parametrize("missing", ["01-intent.md", "01-research.md"])
def test_a_missing_file_is_named_with_the_command_that_writes_it(top: Path, missing: str) -> None:
    (folder(top) / missing).unlink()
    with pytest.raises(BadInput) as refused:
        features.load("it", top=top)
    assert refused.value.message == f"The feature 'it' has no {missing}."
    assert refused.value.where == f".workspace/features/it/{missing}"
    assert "ropeteam new it" in refused.value.hint
    written = features.new(top, "it")
    assert [path.name for path in written] == [missing]


@pytest.mark.parametrize("empty", ["", "\n \r\n\t", "\ufeff\n"])
@pytest.mark.parametrize("which", ["intent", "research"])
def test_an_empty_file_is_refused(top: Path, which: str, empty: str) -> None:
    folder(top, **{which: empty})
    with pytest.raises(BadInput, match=rf"01-{which}\.md is empty"):
        features.load("it", top=top)


def test_windows_1252_is_refused_with_its_line(top: Path) -> None:
    folder(top, intent="# Títle\n\nfirst\nthe café\n".encode("cp1252"))
    with pytest.raises(BadInput) as refused:
        features.load("it", top=top)
    assert refused.value.where == ".workspace/features/it/01-intent.md:1"
    assert "byte 0xed in line 1" in refused.value.message
    assert "iconv -f WINDOWS-1252" in refused.value.hint


def test_a_wrong_byte_in_any_document_is_refused(top: Path) -> None:
    folder(top, **{"05-log.md": b"fine\r\nfine\r\nnot \xff fine\r\n"})
    with pytest.raises(BadInput) as refused:
        features.load("it", top=top)
    assert refused.value.where == ".workspace/features/it/05-log.md:3"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_called_by_its_name(top: Path, encoding: str) -> None:
    folder(top, intent=("\ufeff" + INTENT).encode(encoding))
    with pytest.raises(BadInput, match="is UTF-16"):
        features.load("it", top=top)


def test_a_nul_character_is_refused_with_its_line(top: Path) -> None:
    folder(top, research="one\ntwo\0\n")
    with pytest.raises(BadInput) as refused:
        features.load("it", top=top)
    assert refused.value.where == ".workspace/features/it/01-research.md:2"


@pytest.mark.parametrize(
    "content",
    [
        INTENT.replace("\n", "\r\n"),
        "\ufeff" + INTENT,
        "\ufeff" + INTENT.replace("\n", "\r\n"),
        INTENT.rstrip("\n"),
        INTENT.replace("\n", "\r"),
    ],
    ids=["crlf", "bom", "bom and crlf", "no final newline", "cr"],
)
def test_other_line_ends_are_understood_and_kept_to_the_byte(top: Path, content: str) -> None:
    folder(top, intent=content)
    feature = features.load("it", top=top)
    assert feature.documents[0].text == content
    assert feature.title == "Title"
    assert [(item.id, item.line) for item in feature.requirements] == [("REQ-001", 3)]


def test_a_file_of_a_megabyte_is_read_quickly_and_mentioned(top: Path) -> None:
    line = "- REQ-{:05d}: words about `code` and the things that matter here\n"
    text = "# Large\n\n" + "".join(line.format(number) for number in range(16_000))
    assert len(text) > 1_000_000
    folder(top, intent=text)
    started = time.process_time()
    feature = features.load("it", top=top)
    assert time.process_time() - started < 20
    assert len(feature.requirements) == 16_000
    assert any("every attempt reads" in notice for notice in feature.notices)


def test_a_file_beyond_all_measure_is_refused(top: Path) -> None:
    with (folder(top) / "04-log.md").open("wb") as file:
        file.truncate(8_000_001)
    with pytest.raises(BadInput, match="8,000,001 bytes"):
        features.load("it", top=top)


def test_what_is_not_a_file_is_refused(top: Path) -> None:
    import os

    os.mkfifo(folder(top) / "04-log.md")
    with pytest.raises(BadInput, match="is not a file"):
        features.load("it", top=top)


# ---- one file, standard input


def test_a_markdown_file_is_an_intent_without_research(top: Path) -> None:
    (top / "docs").mkdir()
    (top / "docs/Add Export v1.2.md").write_text(INTENT)
    feature = features.load("docs/Add Export v1.2.md", top=top)
    assert (feature.name, feature.source, feature.folder) == ("add-export-v1-2", "file", "")
    assert kinds(feature) == [("intent", "Add Export v1.2.md")]
    assert feature.documents[0].path == "docs/Add Export v1.2.md"


def test_a_markdown_file_may_lie_outside_and_nothing_is_written_there(top: Path, tmp_path: Path) -> None:
    (tmp_path / "issue.md").write_text(INTENT)
    for typed in (str(tmp_path / "issue.md"), "../issue.md"):
        feature = features.load(typed, top=top)
        assert (feature.name, feature.folder, feature.documents[0].path) == ("issue", "", "issue.md")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["issue.md", "repository"]


def test_a_markdown_file_that_is_not_there_is_refused(top: Path) -> None:
    with pytest.raises(BadInput, match=r"There is no file 'issue\.md'"):
        features.load("issue.md", top=top)


def test_an_intent_elsewhere_is_a_file_like_any_other(top: Path, tmp_path: Path) -> None:
    (tmp_path / "01-intent.md").write_text(INTENT)
    assert features.load("../01-intent.md", top=top).source == "file"


def test_standard_input_is_named_so(top: Path) -> None:
    feature = features.load("-", top=top, stdin="Let people export their orders.\n\nAs CSV.")
    assert (feature.name, feature.source, feature.folder) == ("stdin", "stdin", "")
    assert feature.title == "Let people export their orders."
    assert kinds(feature) == [("intent", "stdin")]


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_nothing_on_standard_input_is_refused(top: Path, text: str | None) -> None:
    with pytest.raises(BadInput, match="nothing on standard input"):
        features.load("-", top=top, stdin=text)


def test_bytes_that_are_no_text_on_standard_input_are_refused(top: Path) -> None:
    with pytest.raises(BadInput) as refused:
        features.load("-", top=top, stdin="one\ntwo \udcff\n")
    assert refused.value.where == "standard input:2"


# ---- a new folder


def test_a_new_folder_is_commented_and_refused_until_it_is_filled_in(top: Path) -> None:
    written = features.new(top, "  Shop\\Wish-List ")
    assert [path.relative_to(top).as_posix() for path in written] == [
        ".workspace/features/shop/wish-list/01-intent.md",
        ".workspace/features/shop/wish-list/01-research.md",
    ]
    intent, research = written
    assert intent.read_text().startswith("# Wish list\n")
    assert features.existing(top) == ["shop/wish-list"]
    marked = next(n for n, line in enumerate(intent.read_text().splitlines(), start=1) if "<<fill in" in line)
    with pytest.raises(BadInput) as refused:
        features.load("shop/wish-list", top=top)
    assert refused.value.where.endswith(f"01-intent.md:{marked}")
    assert refused.value.hint.startswith("Fill in what is wanted, in your own words, line ")
    intent.write_text(INTENT)
    with pytest.raises(BadInput, match=r"01-research\.md is not filled in"):
        features.load("shop/wish-list", top=top)
    research.write_text("As always.\n")
    assert features.load("shop/wish-list", top=top).title == "Title"


def test_a_new_folder_that_is_filled_in_is_understood(top: Path) -> None:
    import re

    for path in features.new(top, "wish-list"):
        path.write_text(re.sub(r"<<fill in: [^>]*>>", "Something sensible", path.read_text()))
    feature = features.load("wish-list", top=top)
    assert feature.notices == ()
    assert (feature.title, feature.task_type, feature.summary) == ("Wish list", "FEATURE", "Something sensible")
    assert [(r.id, r.category, r.test_type) for r in feature.requirements] == [("REQ-001", "core", "automated_unit")]


def test_nothing_is_overwritten(top: Path) -> None:
    place = folder(top)
    with pytest.raises(BadInput, match="exists already"):
        features.new(top, "it")
    (place / "01-research.md").unlink()
    features.new(top, "it")
    assert (place / "01-intent.md").read_text() == INTENT


def test_a_new_folder_is_not_made_through_a_link_that_leads_out(top: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (top / ".workspace").symlink_to(tmp_path / "outside")
    with pytest.raises(BadInput, match="leads out of the repository"):
        features.new(top, "it")
    assert list((tmp_path / "outside").iterdir()) == []
    assert features.existing(top) == []


@pytest.mark.parametrize("name", ["", "..", "a b", "/etc/x", "c:x"])
def test_a_new_folder_needs_a_name_that_keeps_the_rules(top: Path, name: str) -> None:
    with pytest.raises(BadInput, match="cannot name a feature"):
        features.new(top, name)
    assert list(top.iterdir()) == []


# ---- the two examples


@pytest.fixture
def examples(top: Path) -> Path:
    import shutil

    shutil.copytree(GOLDEN, top / ".workspace/features")
    return top


def test_the_example_with_parts(examples: Path) -> None:
    feature = features.load("checkout", top=examples)
    assert (feature.title, feature.task_type) == ("Checkout", "FEATURE")
    assert feature.selected == ("02-payment-backend",)
    assert feature.subject == "Checkout: 02-payment-backend"
    assert feature.summary.startswith("Orders from carts, payment start, provider callback, confirmation mail.")
    assert [item.id for item in feature.requirements] == [f"REQ-{number:03d}" for number in range(4, 8)]
    assert feature.requirements[1].text == "A callback marks the payment once, however often it comes"
    assert (feature.requirements[1].category, feature.requirements[1].test_type) == ("integration", "automated_api")
    assert (feature.requirements[0].status, feature.requirements[0].line) == ("○", 68)
    assert kinds(feature)[-1] == ("implementation", "02-implementation.md")
    assert feature.notices == ()
    assert [(s.kind, s.name, s.status, s.needs, s.line) for s in feature.sections] == [
        ("part", "01-cart-models", "done", (), 42),
        ("part", "02-payment-backend", "pending", ("01-cart-models",), 58),
        ("part", "03-checkout-ui", "pending", ("02-payment-backend",), 75),
        ("extend", "Guest Checkout", "pending", ("03-checkout-ui",), 91),
    ]
    assert feature.sections[3].requirements == ("REQ-011",)
    assert feature.sections[3].text.startswith("## Extend: Guest Checkout (2026-03-01)\n\n**Complexity:** 30/100\n")


def test_all_parts_of_the_example_that_are_not_done(examples: Path) -> None:
    feature = features.load("checkout", top=examples, all_parts=True)
    assert feature.selected == ("02-payment-backend", "03-checkout-ui", "Guest Checkout")
    assert [item.id for item in feature.requirements] == [f"REQ-{number:03d}" for number in range(4, 12)]
    assert feature.summary == "A visitor turns the cart into a paid order: address, payment, confirmation by mail."
    assert features.load("checkout", top=examples, parts=("1",)).selected == ("01-cart-models",)


def test_the_example_with_an_architecture(examples: Path) -> None:
    feature = features.load("saved-searches", top=examples)
    assert feature.title == "Saved searches"
    assert feature.summary.startswith("Let people save a search with its filters")
    assert len(feature.requirements) == 5
    assert feature.notices == ()
    assert [kind for kind, _ in kinds(feature)] == ["intent", "research", "architecture"]
