"""Taking and handing in without an orchestrator: what is refused, who gets what, what is kept that came too late."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from repositories import git as call
from repositories import make_repo
from ropeteam import app, git, hosting, locks
from ropeteam.agents.host import HostAgent
from ropeteam.cli import hosting_brief, mcp_answers
from ropeteam.core import events as ev
from ropeteam.core.hosting import HostUnit
from ropeteam.core.model import Answers, AttemptResult, Decision, Feature
from ropeteam.core.schedule import fold
from ropeteam.core.settings import Settings
from ropeteam.errors import BadInput, NoSuchRun
from ropeteam.hosted import keep_what_came_later, newest_change
from ropeteam.journal import Journal
from ropeteam.ports import Exit, Task

RUN, OTHER = "20261122-101530-checkout-7f3a", "20261122-091530-checkout-11aa"


class Place:
    """A repository with a run that offers `single/1`; nobody drives it."""

    def __init__(self, folder: Path) -> None:
        top = make_repo(folder / "repo")
        call(top, "config", "user.name", "Test User")
        call(top, "config", "user.email", "user@example.org")
        self.repository = app.Repository(git.find(top))
        self.folder = folder / "trees" / "single-1"
        self.folder.parent.mkdir()
        self.journal = Journal(self.repository.home / "journal.sqlite")
        self.facts = git.facts(self.repository.repo)
        for run in (OTHER, RUN):
            self.begin(run)
        self.offers = self.journal.offers(RUN)
        self.offers.put(unit("single/1", self.tree), 3600.0, 1.0)

    @property
    def tree(self) -> Path:
        return self.folder / "tree" / "repo"

    @property
    def journal_file(self) -> Path:
        return self.repository.home / "journal.sqlite"

    def begin(self, run: str, agent: str = "host", at: float = 2.0) -> None:
        first = ev.RunStarted(
            at=1.0 if run == OTHER else at,
            run=run,
            feature=Feature(name="checkout", source="stdin"),
            repo=self.facts,
            settings=Settings(),
            answers=Answers(mode="single", agent=agent),
        )
        journal = Journal(self.repository.home / "journal.sqlite")
        journal.append(run, [first])
        journal.close()

    def is_over(self) -> ev.AttemptFailed:
        """`single/1` was taken, its tree made and kept, and then it was stopped."""
        store = git.open_store(self.repository.repo)
        self.folder.mkdir()
        pool = git.Pool(store, self.folder.parent, self.facts, "plain")
        made = pool.make(self.tree, self.facts.base, index=self.folder / "index")
        (self.tree / "first.py").write_text("x = 1\n")
        ref = f"refs/ropeteam/{RUN}/single/1"
        taken = git.snapshot(store, made, start=self.facts.base, ref=ref, message="m\n", at=3.0, facts=self.facts)
        result = AttemptResult(commit=taken.commit, ref=ref, changes=taken.changes)
        events: list[ev.AnyEvent] = [
            ev.Planned(at=2.0, decision=Decision(mode="single")),
            ev.AttemptOffered(at=2.0, attempt="single/1", tree=str(self.tree), agent="host"),
            ev.AttemptStarted(
                at=3.0,
                attempt="single/1",
                tree=str(self.tree),
                folder=str(self.folder),
                start=self.facts.base,
                agent="host",
                since=2.5,
            ),
            ev.CancelAsked(at=4.0),
        ]
        self.journal.append(RUN, events)
        self.offers.take("single/1", "me", 2.5)
        self.offers.close("single/1", "cancel")
        failed = ev.AttemptFailed(at=5.0, attempt="single/1", outcome="killed", result=result)
        self.journal.append(RUN, [failed])
        return failed

    def late_ref(self) -> dict[str, str]:
        return git.refs(self.repository.repo, f"refs/ropeteam/{RUN}/single/1-late")


def unit(attempt: str, tree: Path) -> HostUnit:
    return HostUnit(
        id=attempt.partition("/")[0],
        attempt=attempt,
        kind="single",
        title="t",
        goal="g",
        brief="b",
        prompt="p",
        prompt_file=str(tree.parents[2] / "prompt.md"),
        tree=str(tree),
        writes=("**",),
        needs=(),
        report_file="/r",
        deadline=0.0,
    )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def refused(place: Place, attempt: str, run: str | None = None, report: str | None = None) -> BadInput:
    with pytest.raises(BadInput) as told:
        hosting.hand_in(place.repository, run, attempt, report)
    assert told.value.exit_code == 2
    return told.value


def test_what_cannot_be_handed_in_is_refused_and_nothing_changes(place: Place) -> None:
    assert refused(place, "single/1").code == "not_taken"
    assert refused(place, "03-api/1").code == "unknown_attempt"
    assert place.offers.take("single/1", "me", 2.0)
    other = refused(place, "single/1", OTHER)
    assert (other.code, f"--run {RUN} single/1" in other.hint) == ("other_run", True)
    for bad in ("{", '{"files": 3}', "[]", "\udcff", "[" * 100_000):
        assert "cannot be read" in refused(place, "single/1", report=bad).message
    offer = place.offers.find("single/1")
    assert offer is not None
    assert (offer.state, offer.report) == ("taken", None)
    with pytest.raises(NoSuchRun):
        hosting.hand_in(place.repository, "none", "single/1")


def test_a_run_that_ropeteam_does_itself_has_nothing_to_take(place: Place) -> None:
    name = "20261122-121530-checkout-9c9c"
    place.begin(name, "command", 3.0)
    with pytest.raises(BadInput) as told:
        hosting.take(place.repository)  # the newest
    assert (told.value.exit_code, told.value.code, name in told.value.message) == (2, "not_hosted", True)
    assert not locks.held(place.repository.lock_path(name))


def test_an_ended_run_has_no_more_to_give_and_nobody_is_started_for_it(place: Place) -> None:
    ended: list[ev.AnyEvent] = [ev.CancelAsked(at=3.0), ev.RunEnded(at=4.0, outcome="cancelled")]
    place.journal.append(RUN, ended)
    answer = hosting.take(place.repository, RUN)
    assert (answer.done, answer.unit, answer.outcome, answer.wait_seconds) == (True, None, "cancelled", None)
    assert not place.repository.lock_path(RUN).with_suffix(".log").exists()


def test_it_is_handed_in_once(place: Place) -> None:
    place.offers.take("single/1", "me", 2.0)
    done = hosting.hand_in(place.repository, None, "single/1", '{"deviations": [{"what": "é"}]}')
    assert (done.run, done.accepted, done.kept) == (RUN, True, "")
    offer = place.offers.find("single/1")
    assert offer is not None
    assert (offer.state, json.loads(offer.report or ""), offer.out) == (
        "handed",
        {"deviations": [{"what": "é"}]},
        True,
    )
    assert refused(place, "single/1").code == "handed_in_already"


def test_of_many_who_take_at_once_each_gets_another_one(place: Place) -> None:
    names = [f"u{n}/1" for n in range(8)]
    for name in names:
        place.offers.put(unit(name, place.tree), 3600.0, 1.0)
    got: list[str] = []
    ready = threading.Barrier(4)

    def takes() -> None:
        journal = Journal(place.repository.home / "journal.sqlite")
        offers = journal.offers(RUN)
        ready.wait()
        got.extend(o.attempt for o in offers.all() if offers.take(o.attempt, "x", 1.0))
        journal.close()

    takers = [threading.Thread(target=takes) for _ in range(4)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()
    assert sorted(got) == sorted([*names, "single/1"])


TAKER = """
import os, signal, sys
from pathlib import Path
from ropeteam import app, git, hosting
repository = app.Repository(git.find(Path(sys.argv[1])))
print(hosting.take(repository, sys.argv[2], by="other", hold=True).unit.attempt, flush=True)
if sys.argv[3] == "passes":
    hosting.passed_on(repository, sys.argv[2], ("single/1",))
if sys.argv[3] == "lives":
    sys.stdin.read()
os.kill(os.getpid(), signal.SIGKILL)
"""


@contextmanager
def taken_by_another(place: Place, what: str) -> Iterator[subprocess.Popen[str]]:
    """Another process has taken `single/1`; somebody drives the run."""
    with place.repository.lock(RUN):
        argv = (sys.executable, "-c", TAKER, str(place.repository.repo.top), RUN, what)
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "single/1\n"
            if what != "lives":
                other.wait()
            yield other


def given(place: Place) -> str:
    taken = hosting.take(place.repository, RUN, by="me")
    return taken.unit.attempt if taken.unit is not None else ""


def test_what_a_process_took_that_died_before_it_could_say_so_is_given_again_once(place: Place) -> None:
    with taken_by_another(place, "dies"):
        assert given(place) == "single/1"
        assert given(place) == ""
        offer = place.offers.find("single/1")
        assert offer is not None
        assert (offer.state, offer.by) == ("taken", "me")


def test_what_it_has_passed_on_is_with_somebody_though_it_is_gone(place: Place) -> None:
    with taken_by_another(place, "passes"):
        assert given(place) == ""


def test_what_it_holds_while_it_lives_nobody_else_gets(place: Place) -> None:
    with taken_by_another(place, "lives") as other:
        assert given(place) == ""
        other.kill()
        other.wait()
        assert given(place) == "single/1"


def test_of_many_who_take_over_at_once_one_gets_it(place: Place) -> None:
    assert place.offers.take("single/1", "me", 2.0, "1 2 3")
    got: list[int] = []
    ready = threading.Barrier(4)

    def adopts(number: int) -> None:
        journal = Journal(place.journal_file)
        offers = journal.offers(RUN)
        ready.wait()
        got.extend([number] if offers.adopt("single/1", "1 2 3", str(number), "x", 3.0) else [])
        journal.close()

    takers = [threading.Thread(target=adopts, args=(number,)) for number in range(4)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()
    assert len(got) == 1
    assert place.offers.held() == {"single/1": str(got[0])}


def test_who_is_called_for_nobody_lets_go_of_what_it_took(place: Place) -> None:
    """The host gave up the call while the server still took: the next one gets it, whoever asks."""
    with place.repository.lock(RUN):
        call = mcp_answers.Call(repo=place.repository.repo.top)
        call.stop.set()
        mcp_answers.take_unit(call, hosting_brief.TakeUnit(run=RUN))
        assert list(place.offers.held().values()) == [""]
        assert given(place) == "single/1"
        assert place.offers.held() == {}


def test_what_is_given_back_is_over_and_what_comes_then_is_too_late(place: Place) -> None:
    with pytest.raises(BadInput) as told:
        hosting.abandon(place.repository, RUN, "single/1")
    assert told.value.code == "not_taken"
    place.offers.take("single/1", "me", 2.0)
    done = hosting.abandon(place.repository, RUN, "single/1")
    assert (done.abandoned, done.accepted) == (True, False)
    offer = place.offers.find("single/1")
    assert offer is not None
    assert (offer.state, offer.wanted, offer.out) == ("over", True, False)
    with pytest.raises(BadInput) as told:
        hosting.abandon(place.repository, RUN, "single/1")
    assert (told.value.code, told.value.exit_code) == ("over", 2)
    assert not hosting.hand_in(place.repository, RUN, "single/1").accepted


def test_an_offer_is_withdrawn_or_taken_never_both(place: Place) -> None:
    assert place.offers.withdraw("single/1")
    assert not place.offers.take("single/1", "me", 2.0)
    place.offers.put(unit("single/1", place.tree), 60.0, 3.0)  # offered anew, after a park
    assert place.offers.take("single/1", "me", 4.0)
    assert not place.offers.withdraw("single/1")
    place.offers.put(unit("single/1", place.tree), 60.0, 5.0)
    offer = place.offers.find("single/1")
    assert offer is not None
    assert (offer.state, offer.by, offer.deadline) == ("taken", "me", 64.0)
    place.offers.want("single/1")
    place.offers.saw("single/1", 12, 10.0)
    offer = place.offers.find("single/1")
    assert offer is not None
    assert (offer.seen, offer.deadline, offer.wanted) == (12, 70.0, False)


def test_names_that_are_not_utf_8_come_back_as_they_are(place: Place) -> None:
    odd = place.tree.with_name("caf\udce9")
    place.offers.put(unit("odd/1", odd), 60.0, 3.0)
    offer = place.offers.find("odd/1")
    assert offer is not None
    assert (offer.unit.tree, offer.unit.writes) == (str(odd), ("**",))


def test_what_comes_too_late_is_kept_and_told(place: Place) -> None:
    place.is_over()
    (place.tree / "second.py").write_text("y = 2\n")
    done = hosting.hand_in(place.repository, RUN, "single/1")
    assert (done.accepted, done.kept) == (False, f"refs/ropeteam/{RUN}/single/1-late")
    assert done.kept in done.message
    assert call(place.repository.repo.top, "show", f"{done.kept}:second.py") == "y = 2"
    state = fold(place.journal.events(RUN))
    assert any(done.kept in n for n in state.attempt("single/1").result.notices)
    assert refused(place, "single/1").code == "handed_in_already"


def test_what_comes_too_late_and_has_nothing_new_says_so(place: Place) -> None:
    place.is_over()
    done = hosting.hand_in(place.repository, RUN, "single/1")
    assert (done.accepted, done.kept, place.late_ref()) == (False, "", {})
    assert "kept already" in done.message


def test_who_drives_the_run_is_told_by_a_word(place: Place) -> None:
    place.is_over()
    (place.tree / "second.py").write_text("y = 2\n")
    number = len(place.journal.events(RUN))
    driver = locks.try_lock(place.repository.lock_path(RUN))
    assert driver is not None

    def hears() -> None:
        journal = Journal(place.repository.home / "journal.sqlite")
        while not (asked := journal.asked(RUN)):
            pass
        told.extend(kind for _, kind in asked)
        journal.take(asked[0][0])
        journal.close()

    told: list[str] = []
    hearing = threading.Thread(target=hears)
    hearing.start()
    done = hosting.hand_in(place.repository, RUN, "single/1")
    hearing.join()
    driver.release()
    assert told == [f"late single/1 {done.kept}"]
    assert len(place.journal.events(RUN)) == number  # only who drives it writes into its journal


def test_what_is_written_after_the_end_is_kept_before_the_tree_goes(place: Place) -> None:
    place.is_over()
    state = fold(place.journal.events(RUN))
    keep_what_came_later(place.repository.repo, state, 9.0, place.journal_file)
    assert place.late_ref() == {}
    (place.tree / "later.py").write_text("z = 3\n")
    keep_what_came_later(place.repository.repo, state, 9.0, place.journal_file)
    (kept,) = place.late_ref()
    assert call(place.repository.repo.top, "show", f"{kept}:later.py") == "z = 3"
    (place.tree / "later.py").unlink()
    (place.tree / "last.py").write_text("w = 4\n")
    keep_what_came_later(place.repository.repo, state, 9.0, place.journal_file)
    assert call(place.repository.repo.top, "show", f"{kept}:last.py") == "w = 4"


def test_what_was_taken_and_over_before_the_run_heard_of_it_is_kept(place: Place) -> None:
    """As when something of ours fails between the two."""
    place.is_over()
    first = place.journal.events(RUN)[:1]
    offers = place.journal.offers(OTHER)
    offers.put(unit("single/1", place.tree), 3600.0, 1.0)
    offers.take("single/1", "me", 2.0)
    offers.close("single/1", "something failed in ropeteam itself")
    (place.tree / "more.py").write_text("y = 2\n")
    state = fold([msgspec.structs.replace(e, run=OTHER) for e in first if isinstance(e, ev.RunStarted)])

    late = hosting.hand_in(place.repository, OTHER, "single/1")
    assert late.kept == f"refs/ropeteam/{OTHER}/single/1-late"
    git.delete_refs(place.repository.repo, [late.kept])
    keep_what_came_later(place.repository.repo, state, 9.0, place.journal_file)

    kept = git.refs(place.repository.repo, late.kept)[late.kept]
    assert git.read_file(place.repository.repo, kept, "more.py") == b"y = 2\n"


def test_what_two_runs_have_out_is_not_handed_in_without_a_run(place: Place) -> None:
    other = place.journal.offers(OTHER)
    other.put(unit("single/1", place.tree), 3600.0, 1.0)
    for offers in (other, place.offers):
        assert offers.take("single/1", "me", 2.0)

    with pytest.raises(BadInput, match="too") as raised:
        hosting.hand_in(place.repository, None, "single/1")

    assert raised.value.code == "which_run"
    assert [o.state for o in (*other.all(), *place.offers.all())] == ["taken", "taken"]
    assert hosting.hand_in(place.repository, OTHER, "single/1").accepted
    assert hosting.hand_in(place.repository, None, "single/1").accepted


def test_what_was_written_where_a_tree_was_taken_away_is_kept(place: Place) -> None:
    failed = place.is_over()
    made = git.Tree(place.tree, place.folder / "index")
    git.take_away(made)
    place.tree.unlink()
    place.tree.mkdir()
    (place.tree / "lost.py").write_text("z = 3\n")
    assert not git.bring_back(made)
    assert failed.result.commit is not None
    state = fold(place.journal.events(RUN))
    ours = msgspec.structs.replace(state.attempts[0], offered_at=0.0)  # of an agent that we started
    assert not ours.hosted

    run = msgspec.structs.replace(state, attempts=(ours,))
    keep_what_came_later(place.repository.repo, run, 9.0, place.journal_file)

    (kept,) = place.late_ref().values()
    assert git.read_file(place.repository.repo, kept, "lost.py") == b"z = 3\n"


def test_a_tree_is_changed_by_whatever_is_written_made_or_deleted_in_it(tmp_path: Path) -> None:
    seen = [newest_change(tmp_path)]

    def looked() -> bool:
        seen.append(newest_change(tmp_path))
        return seen[-1] > seen[-2]

    def until_later(change: Path) -> None:
        """The file system's clock goes in steps: written again until it has gone on."""
        while newest_change(tmp_path) <= seen[-1]:
            change.write_text("x")

    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    until_later(deep / "new")
    assert looked()
    assert not looked()
    until_later(deep / "new")
    assert looked()
    while newest_change(tmp_path) <= seen[-1]:
        (deep / "again").write_text("x")
        (deep / "again").unlink()
    assert looked()
    (tmp_path / ".git").mkdir()
    looked()
    (tmp_path / ".git" / "index").write_text("ours, or a look's")
    assert not looked()
    assert newest_change(tmp_path / "none") == 0


# ---- the adapter


def task(folder: Path) -> Task:
    (folder / "io").mkdir()
    return Task(
        run=RUN,
        unit="single",
        attempt=1,
        kind="single",
        goal="g",
        feature="f",
        tree=folder / "tree",
        folder=folder / "io",
        shared_prompt="shared ",
        own_prompt="own",
        prompt_file=folder / "io" / "prompt.md",
        report_file=folder / "io" / "report.json",
        slot=1,
        deadline=9.0,
    )


def test_a_host_is_given_files_and_no_program(tmp_path: Path) -> None:
    made = HostAgent().build(task(tmp_path))
    assert made.argv == ()
    assert made.files[str(tmp_path / "io" / "prompt.md")] == "shared own"
    assert json.loads(made.files[str(tmp_path / "io" / "task.json")])["unit"] == "single"
    assert HostAgent().abilities.hosted


def test_its_report_is_what_came_with_the_hand_in_else_what_was_left(tmp_path: Path) -> None:
    given = task(tmp_path)
    left, came = given.report_file, tmp_path / "handed-in.json"
    done = Exit(code=0, seconds=3.0)
    assert HostAgent().listen(given).finish(done, 9.0).outcome == "ok"  # the tree will tell
    left.write_text('{"files": [{"path": "a.py"}], "usage": {"input": 5, "cost_usd": 0.5}}')
    finish = HostAgent().listen(given).finish(done, 9.0)
    assert ([f.path for f in finish.report.files], finish.usage.input) == (["a.py"], 5)
    came.write_text('{"files": [{"path": "b.py"}]}')
    finish = HostAgent().listen(given).finish(done, 9.0)
    assert ([f.path for f in finish.report.files], finish.usage.input) == (["b.py"], 0)
    came.unlink()
    left.write_text("no JSON")
    assert HostAgent().listen(given).finish(done, 9.0).outcome == "corrupted"
    stopped = Exit(stopped="asked", seconds=3.0)
    assert HostAgent().listen(given).finish(stopped, 9.0).outcome == "killed"
