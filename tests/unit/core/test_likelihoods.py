"""How likely one file builds on another, by what is known before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ropeteam.core.costs import Costs
from ropeteam.core.likelihoods import is_hub, is_test_of, of_siblings, pairs, words_of
from ropeteam.core.sizes import lines_of, seconds_of
from ropeteam.core.survey import Dependency, PlannedFile


def py(path: str, category: str, status: str = "A") -> PlannedFile:
    return PlannedFile(path=path, category=category, status="A" if status == "A" else "M", language="python")


MODEL = py("app/models/cart.py", "model")
SERVICE = py("app/services/cart.py", "service")
TEST = py("tests/test_cart.py", "test")
OTHER = py("app/services/mail.py", "service", "M")
FILES = (MODEL, SERVICE, TEST, OTHER)


def found(*dependencies: Dependency) -> dict[tuple[str, str], float]:
    edges = pairs(FILES, [40.0] * 4, dependencies).edges
    return {(FILES[i].path, FILES[j].path): p for i, j, p in edges}


def test_a_service_builds_on_its_model_rather_than_the_other_way_round() -> None:
    p = found()
    assert p[SERVICE.path, MODEL.path] > 0.2
    assert p.get((MODEL.path, SERVICE.path), 0.0) < p[SERVICE.path, MODEL.path] / 1.5


def test_nothing_builds_on_a_test() -> None:
    p = found()
    assert p[TEST.path, SERVICE.path] > 0.3
    assert p.get((SERVICE.path, TEST.path), 0.0) < 0.05


def test_evidence_makes_it_likelier() -> None:
    pair = OTHER.path, MODEL.path
    before = found().get(pair, 0.0)
    sibling = Dependency(path=pair[0], on=pair[1], kind="sibling", likelihood=of_siblings(1.0))
    assert found(sibling)[pair] > before
    declared = Dependency(path=pair[0], on=pair[1], kind="declared", likelihood=0.9)
    assert found(declared)[pair] == 0.9


def test_what_the_documents_state_in_full_is_not_guessed_again() -> None:
    """A file that lists its controllers would import a new one, by its looks; the documents say it builds on none."""
    app, controller = py("app.py", "service", "M"), py("controllers/order.py", "service")
    guess = Dependency(path=app.path, on=controller.path, kind="path", likelihood=0.7)
    stated = Dependency(path=app.path, on=controller.path, kind="declared", likelihood=0.9)
    for dependencies, declared, least, most in (
        ([guess], (), 0.7, 0.7),
        ([guess], (app.path,), 0.0, 0.1),
        ([guess, stated], (app.path,), 0.9, 0.9),
    ):
        edges = {(i, j): p for i, j, p in pairs([app, controller], [10.0, 60.0], dependencies, declared).edges}
        assert least <= edges.get((0, 1), 0.0) <= most


def test_a_dependency_on_what_the_feature_does_not_touch_is_passed_over() -> None:
    assert found(Dependency(path=OTHER.path, on="app/db.py", kind="import", likelihood=0.3)) == found()


@given(st.lists(st.from_regex(r"[a-z]{1,6}/[A-Za-z_]{1,12}\.(py|ts|go|php)", fullmatch=True), max_size=12, unique=True))
def test_likelihoods_are_probabilities(paths: list[str]) -> None:
    files = [PlannedFile(path=p, status="A") for p in paths]
    known = pairs(files, [30.0] * len(files), ())
    assert all(0.0 < p < 1.0 and i != j for i, j, p in known.edges)
    assert known.rest >= 0.0


def test_many_files_are_not_looked_at_pair_by_pair() -> None:
    files = [PlannedFile(path=f"src/{n % 40}/part{n}.py", status="A", category="service") for n in range(900)]
    seen = pairs(files, [30.0] * 900, ())
    assert len(seen.edges) < 900 * 899
    assert seen.rest > 0.0


def test_words_of_a_file_are_what_it_is_about() -> None:
    assert words_of("app/Http/Controllers/PlaylistFolderController.php") == {"playlist", "folder"}
    assert words_of("web/cart/index.ts") == {"cart"}
    assert words_of("tests/test_categories.py") == {"category"}


def test_the_nearest_of_its_name_is_what_a_test_tests() -> None:
    assert is_test_of("web/cart/cart.spec.ts", ["app/cart.php", "web/cart/cart.ts"]) == 1
    assert is_test_of("web/cart/cart.spec.ts", []) is None


def test_files_in_which_all_want_a_line() -> None:
    assert all(map(is_hub, ("routes/web.php", "src/index.ts", "app/__init__.py", "CHANGELOG.md", "go.mod")))
    assert not is_hub("app/models/cart.py")


def test_a_very_large_guess_is_taken_for_too_large_and_a_small_one_is_not() -> None:
    costs = Costs()
    large, small = (
        lines_of(PlannedFile(path="a.py", status="A", category="service", lines=n), costs)[0] for n in (600, 20)
    )
    assert large < 600
    assert small > 20
    exact = Costs(size_sigma=0.0)
    assert round(lines_of(PlannedFile(path="a.py", lines=80), exact)[0]) == 80


def test_a_deleted_file_takes_what_a_file_takes() -> None:
    assert seconds_of(PlannedFile(path="a.py", status="D", lines=500), Costs()) == (Costs().file_seconds, 0.0)
