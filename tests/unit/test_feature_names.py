"""Which words name a feature, and that none of them leads out of the features' folder or the repository."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ropeteam import features
from ropeteam.errors import BadInput
from ropeteam.features import workspace


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    repository = tmp_path / "repository"
    for name in ("checkout", "saved-searches", "shop/checkout"):
        write(repository / ".workspace/features" / name)
    monkeypatch.chdir(repository)
    return repository


def write(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "01-intent.md").write_text("# Title\n\nWords.\n")
    (folder / "01-research.md").write_text("Research.\n")
    return folder


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("checkout", "checkout"),
        ("  Checkout\n", "checkout"),
        ("CHECKOUT/", "checkout"),
        ("shop/checkout", "shop/checkout"),
        ("Shop\\Checkout", "shop/checkout"),
        (".workspace/features/shop/checkout", "shop/checkout"),
        ("./.workspace/features/checkout/", "checkout"),
        (".workspace/features/checkout/01-intent.md", "checkout"),
    ],
)
def test_a_feature_is_found_however_its_name_is_typed(top: Path, typed: str, name: str) -> None:
    feature = features.load(typed, top=top)
    assert feature.name == name
    assert feature.folder == f".workspace/features/{name}"
    assert feature.source == "workspace"


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("..", "`..`"),
        ("../checkout", "`..`"),
        ("checkout/../../..", "`..`"),
        ("shop\\..\\checkout", "`..`"),
        (".workspace/features/../features/checkout", "`..`"),
        ("/nowhere/checkout", "absolute"),
        ("~/checkout", "absolute"),
        ("c:\\checkout", "drive letter"),
        ("C:/checkout", "drive letter"),
        ("check out", "' '"),
        ("checkout;ls", "';'"),
        ("$(ls)", "'$'"),
        ("`ls`", "'`'"),
        ("checkout|x", "'|'"),
        ("checkout\0", "'\\x00'"),
        ("a\nb", "'\\n'"),
        ("größe", "'ö'"),
        ("v1.2", "'.'"),
        ("shop//checkout", "nothing between"),
        ("x" * 201, "201 characters"),
        ("x" * 5000, "5000 characters"),
    ],
)
def test_other_names_are_refused_with_the_reason_and_what_there_is(top: Path, typed: str, reason: str) -> None:
    with pytest.raises(BadInput) as refused:
        features.load(typed, top=top)
    assert reason in refused.value.message
    assert "checkout" in refused.value.hint
    assert "saved-searches" in refused.value.hint


def test_a_name_of_200_characters_is_one(top: Path) -> None:
    write(top / ".workspace/features" / ("x" * 200))
    assert features.load("X" * 200, top=top).name == "x" * 200


def test_an_unknown_name_is_answered_with_the_closest_ones_first(top: Path) -> None:
    with pytest.raises(BadInput) as refused:
        features.load("saved-serches", top=top)
    assert refused.value.message == "There is no feature 'saved-serches'."
    assert refused.value.hint.startswith("Did you mean 'saved-searches'? Features that exist: saved-searches, checkout")
    assert "ropeteam new saved-serches" in refused.value.hint


def test_a_repository_without_features_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        features.load("checkout", top=tmp_path)
    assert "no features under .workspace/features" in refused.value.hint
    assert features.existing(tmp_path) == []


def test_a_folder_of_the_project_is_no_feature(top: Path) -> None:
    (top / "src").mkdir()
    with pytest.raises(BadInput) as refused:
        features.load("src", top=top)
    assert refused.value.message == "There is no feature 'src'."


def test_a_folder_elsewhere_in_the_repository_can_be_given_by_its_path(top: Path) -> None:
    write(top / "docs/plans/Q1.Export")
    feature = features.load("docs/plans/Q1.Export", top=top)
    assert (feature.name, feature.folder) == ("q1-export", "docs/plans/Q1.Export")


def test_a_folder_written_in_capitals_is_found_unless_two_are_alike(top: Path) -> None:
    root = top / ".workspace/features"
    write(root / "Mail/Digest")
    assert features.load("mail/digest", top=top).folder == ".workspace/features/Mail/Digest"
    write(root / "MAIL/digest")
    with pytest.raises(BadInput, match="differ only in upper and lower case"):
        features.load("mail/digest", top=top)


@pytest.mark.parametrize("typed", ["outside", ".workspace/features/outside"])
def test_links_that_lead_out_of_the_repository_are_refused(top: Path, tmp_path: Path, typed: str) -> None:
    write(tmp_path / "outside")
    (top / ".workspace/features/outside").symlink_to(tmp_path / "outside")
    with pytest.raises(BadInput, match="leads out of the repository"):
        features.load(typed, top=top)


def test_a_document_that_links_out_of_the_repository_is_refused(top: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("secret")
    (top / ".workspace/features/checkout/04-verify.md").symlink_to(tmp_path / "secret.md")
    with pytest.raises(BadInput, match=r"04-verify\.md leads out of the repository"):
        features.load("checkout", top=top)


def test_a_link_within_the_repository_is_followed_to_its_real_folder(top: Path) -> None:
    write(top / "specs/login")
    (top / ".workspace/features/login").symlink_to(top / "specs/login")
    assert features.load("login", top=top).folder == "specs/login"


def test_a_folder_outside_and_the_repository_itself_are_refused(top: Path, tmp_path: Path) -> None:
    write(tmp_path / "outside")
    with pytest.raises(BadInput, match="leads out of the repository"):
        features.load(str(tmp_path / "outside"), top=top)
    with pytest.raises(BadInput, match="is not a feature folder"):
        features.load(str(top), top=top)
    (top / ".git/x").mkdir(parents=True)
    with pytest.raises(BadInput, match="is not a feature folder"):
        features.load(".git/x", top=top)


def test_a_circle_of_links_is_refused_and_not_followed_for_ever(top: Path) -> None:
    (top / ".workspace/features/round").symlink_to(top / ".workspace/features/round")
    with pytest.raises(BadInput, match="There is no feature 'round'"):
        features.load("round", top=top)


@given(st.text(alphabet=st.sampled_from("abAB01-_/\\.~$;:| \0\n\u00e4"), max_size=40) | st.text(max_size=250))
def test_no_accepted_name_leaves_the_features_folder(text: str) -> None:
    name = workspace.normalised(text)
    if workspace.fault(name):
        return
    root = Path("/repository/.workspace/features")
    assert (root / name).resolve().is_relative_to(root)
    assert (root / name) != root
    assert 0 < len(name) <= 200
    assert workspace.normalised(name) == name
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_/")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(alphabet=st.sampled_from("checkout./\\~ \0;sp"), max_size=30) | st.text(max_size=60))
def test_whatever_is_typed_is_a_feature_inside_or_a_refusal(top: Path, text: str) -> None:
    if text.strip() == "-":
        return
    try:
        folder = features.load(text, top=top).folder
    except BadInput:
        folder = ""
    assert (top / folder).resolve().is_relative_to(top.resolve())


@given(st.text(max_size=400))
def test_a_name_can_be_made_from_any_words(words: str) -> None:
    assert workspace.fault(workspace.named(words)) == ""
