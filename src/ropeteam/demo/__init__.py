"""The demo: a small real application (`sample/`), a feature planned for it, and a recording of its implementation.

`repository.make` turns the sample into a git repository; `recording.record` makes the script that the scripted agent
plays there. Nothing here is needed for a run on a repository of somebody's own.
"""
