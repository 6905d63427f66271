"""Everything that ropeteam does with git, by calls of the git program.

Names: U is the user's repository, P our private bare repository for it (`Store`), T one attempt's tree (`Tree`).
Agents work in trees; snapshots, merges and commits are made in P; what matters is carried over to refs of U; and only
`land` touches the user's branch, index and files. All functions are synchronous, may be called from several threads,
and come to the same when they are called again.
"""

from __future__ import annotations

from ropeteam.git.calls import MINIMUM, holding, require, version
from ropeteam.git.checkout import snapshot_checkout
from ropeteam.git.copies import Copying, NotCopied, copy_untracked, put_back
from ropeteam.git.fingerprints import Fingerprint, compare_fingerprint, fingerprint
from ropeteam.git.landing import land, leave_branch, repair_landing
from ropeteam.git.landing_view import LandResult
from ropeteam.git.merge_tree import Work, conflicts_between
from ropeteam.git.merges import Merge, commit_files, merge, rebase
from ropeteam.git.mounts import NotMounted
from ropeteam.git.mounts import problem as overlay_problem
from ropeteam.git.pool import MANY_FILES, Pool, makers
from ropeteam.git.repository import (
    Repo,
    branch,
    delete_branch,
    delete_refs,
    differs,
    dirty,
    facts,
    find,
    head,
    is_tracked,
    list_files,
    read_file,
    read_files,
    refs,
    resolve,
    untracked,
)
from ropeteam.git.resolving import matching
from ropeteam.git.snapshots import Snapshot, snapshot
from ropeteam.git.standins import bring_back, is_displaced, take_away
from ropeteam.git.store import Store, changes, keep, open_store
from ropeteam.git.trees import Tree, content, create_tree, erase, open_tree, refuse_trees_of_attempts, remove_tree

__all__ = [
    "MANY_FILES",
    "MINIMUM",
    "Copying",
    "Fingerprint",
    "LandResult",
    "Merge",
    "NotCopied",
    "NotMounted",
    "Pool",
    "Repo",
    "Snapshot",
    "Store",
    "Tree",
    "Work",
    "branch",
    "bring_back",
    "changes",
    "commit_files",
    "compare_fingerprint",
    "conflicts_between",
    "content",
    "copy_untracked",
    "create_tree",
    "delete_branch",
    "delete_refs",
    "differs",
    "dirty",
    "erase",
    "facts",
    "find",
    "fingerprint",
    "head",
    "holding",
    "is_displaced",
    "is_tracked",
    "keep",
    "land",
    "leave_branch",
    "list_files",
    "makers",
    "matching",
    "merge",
    "open_store",
    "open_tree",
    "overlay_problem",
    "put_back",
    "read_file",
    "read_files",
    "rebase",
    "refs",
    "refuse_trees_of_attempts",
    "remove_tree",
    "repair_landing",
    "require",
    "resolve",
    "snapshot",
    "snapshot_checkout",
    "take_away",
    "untracked",
    "version",
]
