"""How long planning takes, by the number of files: processor time of the static planner's parts.

    .venv/bin/python -m bench.planning [FILES ...]

Made-up features in folders of ten files, with imports between them. `pairs`: likelihoods of all dependencies;
`grouped`: ways found, simulated and put into words, with the prediction that is shown; `simulations`: how many were
played in trying ways; `1,000`: a thousand simulations of the way that was kept, alone. Aims: 100 files under a second a
thousand simulations tried, 2,000 files under ten.
"""

from __future__ import annotations

import random
import sys
import time

from ropeteam.core.costs import Costs
from ropeteam.core.grouping import grouped
from ropeteam.core.model import Feature
from ropeteam.core.settings import Gate
from ropeteam.core.simulate import simulate, weathers
from ropeteam.core.survey import Dependency, PlannedFile, Survey
from ropeteam.core.trials import atoms_of, draws_for, trials, work_of

KINDS = ("model", "service", "service", "view", "view", "test", "test", "config", "service", "view")
TRIED = 300


def survey(files: int, seed: int = 1) -> Survey:
    rng = random.Random(seed)
    made = []
    for n in range(files):
        kind = KINDS[n % 10]
        path = f"src/{kind}s/area{n // 10}/thing{rng.randrange(files)}_{n}.py"
        new = rng.random() < 0.5
        made.append(
            PlannedFile(
                path=path,
                status="A" if new else "M",
                category=kind,
                language="python",
                lines=int(rng.lognormvariate(3.0, 1.0)),
            )
        )
    known = []
    for n, file in enumerate(made):
        for _ in range(2):
            other = rng.randrange(max(0, n - 15), min(files, n + 15))
            if other != n:
                known.append(Dependency(path=file.path, on=made[other].path, kind="import", likelihood=0.3))
    return Survey(files=tuple(made), dependencies=tuple(known), named=True)


def main(sizes: list[int]) -> None:
    print("files    pairs  grouped  ways tried  simulations  a thousand tried  1,000 of one")
    costs, gate = Costs(), Gate()
    feature = Feature(name="made-up", source="file")
    for files in sizes:
        s = survey(files)
        began = time.process_time()
        work = work_of(s, costs)
        paired = time.process_time()
        atoms = atoms_of(s.files, s.dependencies, seconds=work.seconds, workers=8)
        found = trials(work, atoms, [0] * files, costs, workers=8, at=0.25, seed=1, draws=TRIED)
        searched = time.process_time()
        grouped(s, costs, feature=feature, workers=8, gate=gate, mode="parallel")
        whole = time.process_time()
        drawn = weathers(work, costs, draws=200, seed=2)
        simulate(found[0].way.layout, work, costs, drawn, workers=8)
        alone = (time.process_time() - whole) * 5
        count = len(found) * draws_for(files, TRIED)
        per = (searched - began) / count * 1000
        print(
            f"{files:5d} {paired - began:7.2f}s {whole - searched:7.2f}s {len(found):11d} {count:12,d}"
            f" {per:16.2f}s {alone:12.2f}s",
            flush=True,
        )


if __name__ == "__main__":
    main([int(a) for a in sys.argv[1:]] or [10, 30, 100, 300, 2000])
