"""An attempt of a real program from `build` to `finish`, without the matrix's questions."""

from __future__ import annotations

import subprocess
from pathlib import Path

from agent_worlds import World
from rigs import Rig

from ropeteam import sandbox
from ropeteam.ports import Exit, Finish, Said, Task

SECONDS = 200.0


def run(rig: Rig, world: World, task: Task, url: str) -> tuple[Finish, list[Said]]:
    """Run it to its end. url: of the model, without `/v1`."""
    caller = world.caller(rig.caller(url, key=True))
    agent = rig.agent(caller)
    launch = agent.build(task)
    for path, text in launch.files.items():
        Path(path).write_text(text, encoding="utf-8")
    done = subprocess.run(
        launch.argv,
        cwd=task.tree,
        env=sandbox.environment(caller, launch.env, launch.pass_env),
        input=launch.stdin.encode(),
        capture_output=True,
        timeout=SECONDS,
        check=False,
        start_new_session=True,
    )
    conversation = agent.listen(task)
    said = [one for line in done.stdout.splitlines() for one in conversation.parse(line)]
    code, number = (done.returncode, 0) if done.returncode >= 0 else (None, -done.returncode)
    return conversation.finish(Exit(code=code, signal=number, seconds=1.0), 1_800_000_000.0), said
