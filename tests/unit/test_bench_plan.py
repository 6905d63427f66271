"""`bench/plan.py`: what the planner is given, what it puts out."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from bench import plan as bench  # noqa: E402
from bench.plan_truth import LIKELY, Shape, both, truth_of  # noqa: E402

from ropeteam.core.settings import Gate  # noqa: E402


def record(files: int = 6, seed: int = 1) -> dict[str, Any]:
    """A made-up feature with the fields of the data, truth included."""
    rng = random.Random(seed)
    kinds = [("models", "model"), ("services", "service"), ("views", "view"), ("tests", "test")]
    made = []
    for n in range(files):
        folder, cat = kinds[n % 4]
        lines = rng.randrange(20, 300)
        made.append(
            {
                "path": f"app/{folder}/part{n // 4}_{cat}.py",
                "status": "A" if n % 3 else "M",
                "lang": "python",
                "cat": cat,
            }
            | {"planned": lines, "hot": 0.01, "prior": n, "added": lines + 9, "deleted": 3, "bytes": 900, "hunks": 2}
            | {"xsym": 1, "xsym_t": 1, "wire": False, "stem": "x"}
        )
    edges = [[n, n - 1] for n in range(1, files, 2)]
    truth = dict.fromkeys(("imp", "use", "reg", "prov"), edges) | {"weak": [], "cross": []}
    known: dict[str, list[Any]] = {"par_imp": [[0, 1]], "ana": [[2, 1, 0.5]], "cochange": [[0, 1, 3, 0.4]]}
    for name, pairs in known.items():
        known[name] = [e for e in pairs if max(e[:2]) < files]
    return {"repo": "a/b", "commit": f"{seed:040x}", "stack": "python", "files": made, **known, **truth}


def without_truth(r: dict[str, Any]) -> dict[str, Any]:
    files = [{k: v for k, v in f.items() if k in bench.FILE_FIELDS} for f in r["files"]]
    return {"repo": r["repo"], "commit": r["commit"], "files": files} | {k: r[k] for k in bench.EDGE_FIELDS}


def test_the_planner_is_given_what_is_known_and_nothing_else() -> None:
    known = bench.known_of(record())
    assert set(known) == {"files", "par_imp", "ana", "cochange"}
    truth = {"added", "deleted", "bytes", "hunks", "xsym", "xsym_t", "wire", "stem"}
    assert all(truth.isdisjoint(f) for f in known["files"])
    survey = bench.survey_of(known)
    assert [d.kind for d in survey.dependencies] == ["import", "sibling", "cochange"]
    assert [f.lines for f in survey.files] == [f["planned"] for f in record()["files"]]


def test_the_truth_changes_nothing_and_may_be_missing() -> None:
    r = record(9)
    other = record(9)
    for f in other["files"]:
        f["added"] = 9_999
    other["use"] = [[0, 8]]
    plans = [
        bench.planned(bench.survey_of(bench.known_of(x)), bench.COSTS, 8, Gate()) for x in (r, other, without_truth(r))
    ]
    assert len({bench.line_of(r, p) for p in plans}) == 1


@pytest.mark.parametrize("files", [1, 2, 7, 24])
def test_units_hold_every_file_once_and_needs_are_before(files: int) -> None:
    r = record(files, seed=files)
    plan = bench.planned(bench.survey_of(bench.known_of(r)), bench.COSTS, 8, Gate())
    line = json.loads(bench.line_of(r, plan))
    assert sorted(f for unit in line["units"] for f in unit) == list(range(files))
    assert len(line["needs"]) == len(line["units"])
    assert all(0 <= n < len(line["units"]) for needs in line["needs"] for n in needs)
    assert set(line["contract"]) <= set(range(files))
    assert line["mode"] in ("parallel", "single")
    assert 0 < line["speedup_quantile"] <= line["speedup_p50"]


def test_against_the_truth_an_unknown_dependency_costs_and_a_declared_one_does_not() -> None:
    truth = truth_of(record(2), LIKELY)
    apart = Shape(((0,), (1,)), ((), ()))
    told = Shape(((0,), (1,)), ((), ()), contract=(0,))
    quiet = truth.__class__(truth.seconds, ())
    for seed in range(5):
        unknown, none = (both(t, apart, LIKELY, 4, random.Random(seed))[1] for t in (truth, quiet))
        assert unknown > none + LIKELY.repair_seconds / 2
        assert both(truth, told, LIKELY, 4, random.Random(seed)) == both(quiet, told, LIKELY, 4, random.Random(seed))


@pytest.mark.slow
def test_the_command_writes_a_line_a_feature_with_and_without_truth(tmp_path: Path) -> None:
    records = [record(5 + n, seed=n) for n in range(3)]
    packed = tmp_path / "features.jsonl.gz"
    packed.write_bytes(gzip.compress("".join(json.dumps(r) + "\n" for r in records).encode()))
    plain = tmp_path / "known.jsonl"
    plain.write_text("".join(json.dumps(without_truth(r)) + "\n" for r in records))
    wrote, shown = [], []
    for data in (packed, plain):
        out = tmp_path / f"{data.name}.out"
        argv = [sys.executable, "-m", "bench.plan", "--data", str(data), "--workers", "8", "--plans-out", str(out)]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
        wrote.append(out.read_text())
        shown.append(done.stdout)
    assert wrote[0] == wrote[1]
    assert len(wrote[0].splitlines()) == 3
    assert "balanced, plain gate" in shown[0]
    assert "balanced" not in shown[1]
