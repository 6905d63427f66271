"""The files that documents name, in many wordings and shapes: every path with what is done to it, the rest reported."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropeteam.core.model import Document, NamedFile
from ropeteam.features import work

Kind = str


def read(text: str, kind: Kind = "architecture") -> work.Work:
    return work.read((Document(kind=kind, path="d.md", text=text),))  # type: ignore[arg-type]


def named(text: str, kind: Kind = "architecture") -> list[str]:
    """`A src/x.ts` for each file that is to be worked on."""
    return [f"{file.status} {file.path}" for file in read(text, kind).files if not file.mentioned]


def one(text: str, path: str, kind: Kind = "architecture") -> NamedFile:
    return next(file for file in read(text, kind).files if file.path == path)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param(
            "## Files to Create\n### Models\n- `app/Models/Order.php` - order\n### Services\n"
            "1. **`app/Services/Orders.php`** — work\n2. app/Services/Mailer.php (sends mail)\n"
            "## Files to Modify\n### Routes\n* `routes/web.php` → checkout\n* config/app.php\n",
            [
                "A app/Models/Order.php",
                "A app/Services/Orders.php",
                "A app/Services/Mailer.php",
                "M routes/web.php",
                "M config/app.php",
            ],
            id="headings, layers below them",
        ),
        pytest.param(
            "**Files to create:**\n- `src/a.py`\n\n**Files to modify:**\n- `src/c.py`\n",
            ["A src/a.py", "M src/c.py"],
            id="bold labels",
        ),
        pytest.param(
            "## Files\n- New files:\n  - `src/a.ts`\n- Modified files:\n  - `src/c.ts`\n"
            "- Deleted files:\n  - `src/d.ts`\n",
            ["A src/a.ts", "M src/c.ts", "D src/d.ts"],
            id="labels in a list",
        ),
        pytest.param(
            "## File Changes\n| Action | File | Why |\n|---|---|---|\n| Create | `src/a.ts` | a |\n"
            "| Modify | src/b.ts | b |\n"
            "| Delete | `src/c.ts` | c |\n| NEW | src/d.ts | d |\n| update | src/e.ts | e |\n",
            ["A src/a.ts", "M src/b.ts", "D src/c.ts", "A src/d.ts", "M src/e.ts"],
            id="a table with actions",
        ),
        pytest.param(
            "## New components\n### `src/a.ts` (new)\nDoes a.\n### `src/b.ts` (modify)\nDoes b.\n",
            ["A src/a.ts", "M src/b.ts"],
            id="a heading for each file",
        ),
        pytest.param(
            "## Changes\nCreate: `src/a.ts`, `src/b.ts`\nModify: `src/c.ts` and `src/d.ts`\n\n"
            "- **Create** `src/e.ts` for it\n"
            "- **Update** `src/f.ts`: import from `src/a.ts`\n- [NEW] `src/g.ts`\n"
            "- `src/h.ts` (new) - h\n- `src/i.ts` [modified]\n",
            [
                "A src/a.ts",
                "A src/b.ts",
                "M src/c.ts",
                "M src/d.ts",
                "A src/e.ts",
                "M src/f.ts",
                "A src/g.ts",
                "A src/h.ts",
                "M src/i.ts",
            ],
            id="verbs and marks beside paths",
        ),
        pytest.param(
            "## Files to Create\n### app/Models/\n- `Order.php`\n- **app/Services/**\n  - `A.php`\n"
            "### Controllers (`app/Http/Controllers/`)\n| File | Purpose |\n|--|--|\n| `OrderController.php` | c |\n",
            ["A app/Models/Order.php", "A app/Services/A.php", "A app/Http/Controllers/OrderController.php"],
            id="names below their folder",
        ),
        pytest.param(
            "## Files to Create\n```text\nsrc/\n  models/\n    order.py\n    line.py   # lines\n"
            "  services/orders.py\n```\n",
            ["A src/models/order.py", "A src/models/line.py", "A src/services/orders.py"],
            id="an indented tree",
        ),
        pytest.param(
            "## Structure\n```\nsrc/\n├── models/\n│   ├── order.ts   # NEW - order\n│   └── user.ts    # modified\n"
            "└── routes/\n    └── orders.ts  # new\n```\n",
            ["A src/models/order.ts", "M src/models/user.ts", "A src/routes/orders.ts"],
            id="a drawn tree with marks",
        ),
        pytest.param(
            "## Files to create\n```\nsrc/a.py\nsrc/b.py  # second\n```\n## Files to modify\n```diff\n"
            "M src/c.py\n+ src/d.py\n```\n",
            ["A src/a.py", "A src/b.py", "M src/c.py", "A src/d.py"],
            id="paths in a block of code",
        ),
        pytest.param(
            "## Files to modify\n- `src/old.ts` → `src/new.ts`\n",
            ["D src/old.ts", "A src/new.ts"],
            id="renamed",
        ),
        pytest.param(
            "## 3. Files to be created\n3.1 Backend\n- server/a.ts – a\n"
            "## 4. Files to be modified (existing)\n- server/b.ts\n"
            "## 5. Test files\n- `server/a.test.ts`\n",
            ["A server/a.ts", "M server/b.ts", "? server/a.test.ts"],
            id="numbered headings",
        ),
        pytest.param(
            "## Components\n### OrderService\n**File:** `app/Services/OrderService.php`\n"
            "Handles; see `app/Models/Order.php`.\n"
            "### Cart\n- Location: app/Services/Cart.php\n",
            ["? app/Services/OrderService.php", "? app/Services/Cart.php"],
            id="a file of each component",
        ),
        pytest.param("> ## Files to Create\n> - `src/a.ts`\n", ["A src/a.ts"], id="quoted"),
        pytest.param("## Files to Create\r\n- `src/a.ts` - a\r\n", ["A src/a.ts"], id="lines of Windows"),
        pytest.param("## Files to Create\nNone.\n## Files to Modify\n- n/a\n- none\n", [], id="nothing to list"),
        pytest.param(
            "## Reference files\n- `src/a.ts`\n## Unchanged files\n- `src/b.ts`\n## Files not to touch\n- `src/c.ts`\n",
            [],
            id="files to look at only",
        ),
    ],
)
def test_files_are_found_in_the_usual_shapes(text: str, found: list[str]) -> None:
    result = read(text)
    assert [f"{file.status} {file.path}" for file in result.files if not file.mentioned] == found
    assert result.unresolved == ()


def test_purpose_line_and_requirements_come_with_a_file() -> None:
    text = "# T\n\n## Files to Create\n- `src/a.ts` - makes it, REQ-001 to REQ-003 and REQ-007\n"
    file = one(text, "src/a.ts")
    assert (file.purpose, file.line, file.source) == ("makes it, REQ-001 to REQ-003 and REQ-007", 4, "d.md")
    assert file.requirements == ("REQ-001", "REQ-002", "REQ-003", "REQ-007")


def test_what_cannot_be_a_path_is_reported_with_its_line() -> None:
    text = (
        "## Files to Create\n- the order model\n- `OrderService`\n- ../outside/x.ts\n- `/etc/passwd`\n- `src/ok.ts`\n"
        "| File | Purpose |\n|--|--|\n"
    )
    result = read(text)
    assert [file.path for file in result.files] == ["src/ok.ts"]
    assert result.unresolved == (
        "d.md:2: no path could be read in 'the order model'.",
        "d.md:3: no path could be read in '`OrderService`'.",
        "d.md:4: '../outside/x.ts' is not taken: it leads out of the repository.",
        "d.md:5: '/etc/passwd' is not taken: it is an absolute path, outside the repository.",
    )


def test_a_row_without_a_path_is_reported() -> None:
    text = (
        "## Files to Create\n| File | Purpose |\n|---|---|\n| `src/a.ts` | a |\n| the mailer | b |\n| - | nothing |\n"
    )
    assert read(text).unresolved == ("d.md:5: no path could be read in 'the mailer'.",)


def test_code_and_paths_in_a_purpose_are_not_files() -> None:
    text = (
        "## Files to Modify\n- `library/config.py` - `hold_days`, as in `library/other.py`\n- `a/b.ts`: uses `c/d.ts`\n"
    )
    assert named(text) == ["M library/config.py", "M a/b.ts"]


def test_several_paths_of_one_item_all_count() -> None:
    text = (
        "## Files to Create\n- `a/x.ts`, `a/y.ts` and `a/z.ts` - three\n"
        "- Service `b/s.ts` with its test `b/s.test.ts`\n"
    )
    assert named(text) == ["A a/x.ts", "A a/y.ts", "A a/z.ts", "A b/s.ts", "A b/s.test.ts"]


def test_an_intent_says_in_its_sentences_what_is_to_be_done() -> None:
    text = (
        "# JSON output\n"
        "Add a flag in `cmd/main.go`. A new file `render/json.go` writes it. Follow `render/table.go`.\n"
        "Totals come from `report/report.go`, which has to give cents. Do not touch `store/store.go`.\n\n"
        "- AC-1: `README.md` says so\n"
    )
    assert named(text, "intent") == ["? cmd/main.go", "A render/json.go", "M report/report.go", "? README.md"]
    mentioned = [file.path for file in read(text, "intent").files if file.mentioned]
    assert mentioned == ["render/table.go", "store/store.go"]


def test_an_intent_names_a_file_as_new_without_a_heading_for_it() -> None:
    text = "Users switch.\n\n- `src/theme.py`: new, palettes\n- src/dark.css (new)\n- `src/old.py` (existing)\n"
    assert named(text, "intent") == ["A src/theme.py", "A src/dark.css"]
    assert one(text, "src/old.py", "intent").mentioned


def test_a_research_mentions_files_and_lists_those_to_create() -> None:
    text = "# Research\n`src/a.py` shows how. Key files:\n- `src/b.py`\n## Files to create\n- `src/c.py`\n"
    assert named(text, "research") == ["A src/c.py"]
    assert [file.path for file in read(text, "research").files if file.mentioned] == ["src/a.py", "src/b.py"]


def test_headings_that_only_have_the_word_file_list_none() -> None:
    text = (
        "# Import contacts from a file\n- people want it\n"
        "## File upload\n- drag and drop\n## Data models\n- `Run` (name)\n"
    )
    assert read(text, "intent").unresolved == ()
    assert read(text).unresolved == ()


def test_a_path_named_twice_is_one_file_and_creating_outweighs_changing() -> None:
    text = "## Files to Modify\n- `a/x.ts`\n- `a/y.ts` - second\n## Files to Create\n- `a/x.ts` - first\n"
    assert named(text) == ["A a/x.ts", "M a/y.ts"]
    assert one(text, "a/x.ts").purpose == "first"


def test_an_unmarked_tree_is_only_a_hint() -> None:
    text = "## Layout\n```\nsrc/\n├── app.ts\n└── orders.ts\n```\n"
    assert [(file.path, file.status, file.mentioned) for file in read(text).files] == [
        ("src/app.ts", "A", True),
        ("src/orders.ts", "A", True),
    ]


def test_only_wanted_lines_are_read() -> None:
    text = "## Files to Create\n- `a/x.ts`\n- `a/y.ts`\n- nonsense\n"
    document = Document(kind="architecture", path="d.md", text=text)
    result = work.read((document,), lambda _document, line: line == 2)
    assert [file.path for file in result.files] == ["a/x.ts"]
    assert result.unresolved == ()


_PIECES = st.sampled_from(
    (
        *(
            "# Files",
            "## Files to Create",
            "## Implementation Sequence",
            "- `src/a.ts` - a",
            "- src/b.ts",
            "  - `c.py`",
        ),
        *(
            "1. Models",
            "2. Views (needs 1)",
            "**Modify:**",
            "```",
            "├── x.ts",
            "src/",
            "    y.ts",
            "needs 1, 2",
            "- none",
        ),
        *(
            "- [ ] T001 [P] Do it in src/z.ts",
            "- [x] T002 Done in src/w.ts",
            "(depends on T001)",
            "text `a/b.c`",
            "---",
        ),
        *(
            "> quote",
            "## Phase 1: a",
            "### Step 2 - b",
            "Models → Services → Views",
            "\t- deep",
            "<!-- c -->",
            "- **",
            "``",
        ),
        *("[x](y", "| 1 | a | 2 |"),
    )
)


@given(
    st.lists(
        st.one_of(_PIECES, st.text(max_size=30), st.just("| File | Why |\n|---|---|\n| `a/b.ts` | c |")), max_size=25
    ),
    st.sampled_from(("intent", "research", "architecture", "tasks")),
)
def test_no_document_is_refused_and_no_path_comes_twice(lines: list[str], kind: str) -> None:
    result = read("\n".join(lines), kind)
    paths = [file.path for file in result.files]
    assert len(paths) == len(set(paths))
    assert all(file.line >= 1 for file in result.files)
    ids = [step.id for step in result.steps]
    assert all(need in ids for step in result.steps for need in step.needs)
    assert all(step.number >= 1 for step in result.steps)
    numbers = {step.id: step.number for step in result.steps}
    assert len(ids) == len(set(ids))
    assert all(numbers[need] < step.number for step in result.steps for need in step.needs)


def test_a_column_says_what_each_file_builds_on() -> None:
    text = """# Architecture
## Files to Create
| File | Purpose | Depends on |
|------|---------|------------|
| `app/models/fine.py` | table | - |
| `app/services/fines.py` | rules | `app/models/fine.py`, `app/config.py` |
| `app/controllers/fines.py` | pages | see above |

## Files to Modify
- `app/config.py` - the rate
"""
    found = {f.path: f for f in read(text).files}
    assert found["app/models/fine.py"].needs == ()
    assert found["app/services/fines.py"].needs == ("app/models/fine.py", "app/config.py")
    assert found["app/services/fines.py"].purpose == "rules"
    assert found["app/controllers/fines.py"].needs is None, "words that name no file say nothing"
    assert found["app/config.py"].needs is None
    assert found["app/config.py"].status == "M"
