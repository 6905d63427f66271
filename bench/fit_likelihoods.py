"""Fit the weights of `core.likelihoods` on features whose dependencies are known. Needs numpy, which ropeteam does not.

    python -m bench.fit_likelihoods --data FILE [--write src/ropeteam/core/likelihood_weights.py] [--without REPO ...]

Prints how well weights fitted without a fifth of the repositories do on those, then, with `--write`, fits on all.
A pair counts in full in features of up to 18 files, and less in larger ones, so that these do not decide alone.
"""

from __future__ import annotations

import argparse
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
from bench.plan import known_of, read, survey_of

from ropeteam.core.likelihoods import Evidence, features, traits

RIDGE = 3.0
FOLDS = 5
LEAST = 0.02


class Data:
    """Named numbers of all pairs as triples (row, column, value), and whether one builds on the other."""

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self.names: dict[str, int] = {}
        rows, columns, values, real, weight, repo = [], [], [], [], [], []
        self.repos = sorted({r["repo"] for r in records})
        for record in records:
            files = survey_of(known_of(record)).files
            of = [traits(f, float(f.lines or 0)) for f in files]
            evidence = _evidence(record)
            truth = {(e[0], e[1]) for kind in ("use", "cross") for e in record[kind]}
            count = len(files)
            for i in range(count):
                for j in range(count):
                    if i == j:
                        continue
                    for name, value in features(of[i], of[j], evidence.get((i, j), Evidence()), count):
                        rows.append(len(real))
                        columns.append(self.names.setdefault(name, len(self.names)))
                        values.append(value)
                    real.append((i, j) in truth)
                    weight.append(min(1.0, 300 / (count * (count - 1))))
                    repo.append(self.repos.index(record["repo"]))
        self.rows, self.columns = np.array(rows, np.int32), np.array(columns, np.int32)
        self.values, self.real = np.array(values), np.array(real, float)
        self.weight, self.repo = np.array(weight), np.array(repo)

    def predicted(self, weights: Any) -> Any:
        score = np.bincount(self.rows, weights=self.values * weights[self.columns], minlength=len(self.real))
        return 1 / (1 + np.exp(-score - weights[-1]))

    def fitted(self, use: Any) -> Any:
        """Weights, the bias last, on the pairs in `use`: logistic loss with a ridge, by limited-memory BFGS."""
        count, last = len(self.real), len(self.names)
        chosen = use[self.rows]
        rows, columns, values = self.rows[chosen], self.columns[chosen], self.values[chosen]
        weight = self.weight * use

        def loss(at: Any) -> tuple[float, Any]:
            score = np.bincount(rows, weights=values * at[columns], minlength=count) + at[last]
            off = weight * (1 / (1 + np.exp(-score)) - self.real)
            slope = np.append(np.bincount(columns, weights=values * off[rows], minlength=last), off.sum())
            slope[:last] += RIDGE * at[:last]
            value = (weight * (np.logaddexp(0, score) - self.real * score)).sum() + RIDGE / 2 * (at[:last] ** 2).sum()
            return value, slope

        return _minimum(loss, np.append(np.zeros(last), -4.0))


def _minimum(loss: Any, at: Any, steps: int = 150) -> Any:
    value, slope = loss(at)
    kept: deque[tuple[Any, Any, float]] = deque(maxlen=12)
    for _ in range(steps):
        way, used = slope.copy(), []
        for s, y, rho in reversed(kept):
            used.append(rho * (s @ way))
            way -= used[-1] * y
        way *= (kept[-1][0] @ kept[-1][1]) / (kept[-1][1] @ kept[-1][1]) if kept else 1e-3
        for (s, y, rho), a in zip(kept, reversed(used), strict=True):
            way += s * (a - rho * (y @ way))
        length = 1.0
        while True:
            new, new_slope = loss(at - length * way)
            if new <= value - 1e-4 * length * (slope @ way) or length < 1e-6:
                break
            length /= 2
        s, y = -length * way, new_slope - slope
        if s @ y > 1e-10:
            kept.append((s, y, 1 / (s @ y)))
        done = abs(value - new) < 1e-5 * abs(value)
        at, value, slope = at + s, new, new_slope
        if done:
            break
    return at


def _evidence(record: dict[str, Any]) -> dict[tuple[int, int], Evidence]:
    found: dict[tuple[int, int], Evidence] = {}

    def note(i: int, j: int, **what: float) -> None:
        found[i, j] = found.get((i, j), Evidence())._replace(**what)

    for i, j in record["par_imp"]:
        note(i, j, imports=1.0)
        note(j, i, imported=1.0)
    for i, j, share in record["ana"]:
        note(i, j, sibling=share)
    for i, j, _, share in record["cochange"]:
        note(i, j, cochange=share)
        note(j, i, cochange=share)
    return found


def _curve(likely: Any, real: Any) -> float:
    """Area under the receiver operating characteristic."""
    rank = np.empty(len(likely))
    rank[np.argsort(likely)] = np.arange(len(likely))
    yes = real > 0
    return float((rank[yes].mean() - (yes.sum() - 1) / 2) / (~yes).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--without", nargs="*", default=[])
    asked = parser.parse_args()
    data = Data([r for r in read(asked.data) if r["repo"] not in asked.without])
    fold = np.random.default_rng(1).permutation(len(data.repos)) % FOLDS
    likely = np.zeros(len(data.real))
    for number in range(FOLDS):
        away = fold[data.repo] == number
        likely[away] = data.predicted(data.fitted(~away))[away]
    print(f"{len(likely):,} pairs, {data.real.sum():,.0f} real; area {_curve(likely, data.real):.3f}")
    for low, high in ((0, 0.01), (0.01, 0.03), (0.03, 0.1), (0.1, 0.2), (0.2, 0.3), (0.3, 0.45), (0.45, 0.6), (0.6, 1)):
        there = (likely >= low) & (likely < high)
        print(f"  {low:4.2f} to {high:4.2f}: {there.sum():7,d} pairs, {data.real[there].mean():.3f} real")
    if asked.write is not None:
        weights = data.fitted(np.ones(len(likely), bool))
        lines = [
            f'    "{n}": {weights[at]:.2f},\n' for n, at in sorted(data.names.items()) if abs(weights[at]) >= LEAST
        ]
        said = asked.write.read_text(encoding="utf-8")
        head = said[: said.index("BIAS: Final")]
        body = f"BIAS: Final = {weights[-1]:.3f}\nWEIGHTS: Final[Mapping[str, float]] = {{\n"
        asked.write.write_text(f"{head}{body}{''.join(lines)}}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
