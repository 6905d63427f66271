from __future__ import annotations

import json

import pytest

from ropeteam.checks import find
from ropeteam.core.settings import CheckCommand

ALL = ("python3", "npm", "node", "go", "cargo", "php", "make")


def found(
    files: dict[str, str], *, installed: tuple[str, ...] = ALL, venvs: tuple[str, ...] = ()
) -> tuple[CheckCommand, ...]:
    def read(path: str) -> bytes | None:
        return files[path].encode() if path in files else None

    return find(tuple(files), read, which=lambda name: f"/bin/{name}" if name in installed else None, venvs=venvs)


def one(files: dict[str, str], **more) -> CheckCommand:
    commands = found(files, **more)
    assert len(commands) == 1, commands
    return commands[0]


def package(**scripts: str) -> str:
    return json.dumps({"scripts": scripts})


TEST = "import unittest\n\nclass TestA(unittest.TestCase):\n    def test_x(self): pass\n"


@pytest.mark.parametrize(
    ("files", "mark"),
    [
        ({"pyproject.toml": "[tool.pytest.ini_options]\n"}, "pyproject.toml"),
        ({"pytest.ini": "[pytest]\n"}, "pytest.ini"),
        ({"tox.ini": "[tox]\n[pytest]\n"}, "tox.ini"),
        ({"setup.cfg": "[tool:pytest]\n"}, "setup.cfg"),
        ({"tests/conftest.py": "", "tests/test_a.py": TEST}, "tests/conftest.py"),
        ({"requirements-dev.txt": "pytest==8\n", "tests/test_a.py": TEST}, "requirements-dev.txt"),
        ({"requirements/test.txt": "pytest==8\n", "tests/test_a.py": TEST}, "requirements/test.txt"),
        (
            {"pyproject.toml": '[project.optional-dependencies]\ntest=["pytest>=8"]\n', "a/test_a.py": TEST},
            "pyproject.toml",
        ),
        ({"tests/test_a.py": "import pytest\n"}, "tests/test_a.py"),
        ({"tests/test_a.py": "def test_plain():\n    assert 1\n"}, "tests/test_a.py"),
        ({"pkg/tests/test_a.py": "async def test_plain(): pass\n", "pkg/__init__.py": ""}, "pkg/tests/test_a.py"),
    ],
    ids=range(11),
)
def test_pytest(files, mark):
    command = one(files)
    assert (command.name, command.format, command.found, command.cwd) == ("pytest", "junit", mark, "")
    assert command.argv[:3] == ("python3", "-m", "pytest")
    assert "--junitxml={results}" in command.argv


@pytest.mark.parametrize(
    ("files", "starts"),
    [
        ({"tests/__init__.py": "", "tests/test_a.py": TEST}, [()]),
        ({"test_a.py": TEST}, [()]),
        ({"tests/test_a.py": TEST, "app.py": ""}, [("-s", "tests")]),
        (
            {"setup.py": "", "src/p/__init__.py": "", "src/p/tests/__init__.py": "", "src/p/tests/test_a.py": TEST},
            [("-s", "src")],
        ),
        ({"test_a.py": TEST, "tests/test_b.py": TEST}, [(), ("-s", "tests")]),
    ],
    ids=range(5),
)
def test_unittest(files, starts):
    commands = found(files)
    assert [command.argv[5:] for command in commands] == starts
    assert all(command.argv[:5] == ("python3", "-m", "unittest", "discover", "-v") for command in commands)
    assert len({command.name for command in commands}) == len(commands)


def test_django():
    files = {
        "manage.py": "import django\n",
        "shop/__init__.py": "",
        "shop/tests.py": TEST.replace("unittest", "django.test"),
    }
    assert one(files).argv == ("python3", "manage.py", "test", "--noinput", "-v", "2")


@pytest.mark.parametrize(
    "files",
    [
        {"app.py": "print()"},
        {"pyproject.toml": "[project]\nname='x'\n", "x.py": ""},
        {"pyproject.toml": "not toml [[["},
        {"package.json": "not json"},
        {"package.json": package(build="x")},
        {"package.json": package(test='echo "Error: no test specified" && exit 1')},
        {"package.json": '{"scripts": {"test": 3}}'},
        {"package.json": '{"scripts": null}'},
        {"phpunit.php": ""},
        {"Makefile": "build:\n\techo\ntest-all:\n\techo\ntest := 1\n"},
        {"vendor/lib/go.mod": "module x", "node_modules/x/package.json": package(test="jest")},
        {},
    ],
    ids=range(12),
)
def test_nothing_to_find(files):
    assert found(files) == ()


def test_the_python_of_the_tree_goes_first():
    files = {"pytest.ini": "", "uv.lock": ""}
    assert one(files, venvs=(".venv",)).argv[0] == "{tree}/.venv/bin/python"
    assert one(files, installed=("uv",)).argv[:4] == ("uv", "run", "--frozen", "python")
    assert one({"pytest.ini": "", "poetry.lock": ""}, installed=("poetry",)).argv[:3] == ("poetry", "run", "python")
    assert one(files, installed=("python",)).argv[0] == "python"
    assert one(files, installed=()).argv[0] == "python3"


def test_a_subfolder_uses_its_own_environment_first():
    files = {"server/pytest.ini": "", "server/app.py": ""}
    assert one(files, venvs=("server/.venv", ".venv")).argv[0] == "{tree}/server/.venv/bin/python"
    assert one(files, venvs=("venv",)).argv[0] == "{tree}/venv/bin/python"


NODE = ("npm", "test")


@pytest.mark.parametrize(
    ("script", "more", "format"),
    [
        ("jest", ("--", "--json", "--outputFile={results}"), "jest"),
        ("eslint . && NODE_ENV=test jest --ci", ("--", "--json", "--outputFile={results}"), "jest"),
        ("cross-env A=1 react-scripts test", ("--", "--json", "--outputFile={results}"), "jest"),
        (
            "node --experimental-vm-modules node_modules/jest/bin/jest.js",
            ("--", "--json", "--outputFile={results}"),
            "jest",
        ),
        ("vitest run", ("--", "--reporter=default", "--reporter=junit", "--outputFile.junit={results}"), "junit"),
        ("nyc mocha test/**/*.js", ("--", "--reporter", "tap"), "tap"),
        ("node --test", (), "junit"),
        ("node --import tsx --test test/", (), "junit"),
        ("mocha -R dot", (), "exit"),
        ("jest | tee log", (), "exit"),
        ("jest || true", (), "exit"),
        ("jest && ./finish.sh", (), "exit"),
        ("./run-tests.sh", (), "exit"),
        ('jest "unbalanced', (), "exit"),
        ("node --test --test-reporter=spec", (), "exit"),
        ("node test.js", (), "exit"),
    ],
)
def test_npm(script, more, format):
    command = one({"package.json": package(test=script)})
    assert (command.argv, command.format) == (NODE + more, format)
    assert ("NODE_OPTIONS" in command.env) == (format == "junit" and not more)


def test_the_lock_file_names_the_tool_when_it_is_installed():
    files = {"package.json": package(test="jest"), "pnpm-lock.yaml": ""}
    assert one(files, installed=("pnpm", "npm")).argv == ("pnpm", "test", "--json", "--outputFile={results}")
    assert one(files, installed=("npm",)).argv[:3] == ("npm", "test", "--")
    assert one({"web/package.json": package(test="x"), "yarn.lock": ""}, installed=("yarn",)).argv == ("yarn", "test")


def test_go_and_cargo():
    assert one({"go.mod": "module x"}).argv == ("go", "test", "-json", "./...")
    assert one({"Cargo.toml": "[package]\n"}).argv == ("cargo", "test", "--no-fail-fast")
    assert one({"Cargo.toml": "[workspace]\n"}).argv == ("cargo", "test", "--no-fail-fast", "--workspace")


@pytest.mark.parametrize(
    ("files", "program", "mark"),
    [
        ({"phpunit.xml": ""}, ("vendor/bin/phpunit",), "phpunit.xml"),
        ({"phpunit.xml.dist": "", "artisan": "", "tests/ATest.php": ""}, ("vendor/bin/phpunit",), "phpunit.xml.dist"),
        ({"phpunit.xml": "", "composer.json": '"pestphp/pest"'}, ("vendor/bin/pest",), "phpunit.xml"),
        ({"composer.json": '"pestphp/pest"', "tests/Pest.php": ""}, ("vendor/bin/pest",), "composer.json"),
        ({"artisan": "", "tests/Feature/ATest.php": ""}, ("artisan", "test"), "artisan"),
    ],
    ids=range(5),
)
def test_php(files, program, mark):
    command = one(files)
    assert command.argv == ("php", *program, "--log-junit", "{results}")
    assert (command.format, command.found) == ("junit", mark)


def test_make_only_when_there_is_nothing_else():
    assert one({"Makefile": "all:\n\ntest: all\n\techo\n"}).argv == ("make", "test")
    assert one({"Makefile": "test:\n", "go.mod": ""}).name == "go test"


def test_every_kind_of_a_mixed_project_at_the_root_or_below_it():
    files = {
        "pyproject.toml": "[tool.pytest.ini_options]\n",
        "web/package.json": package(test="vitest"),
        "admin/package.json": package(test="jest"),
        "tools/go.mod": "module x",
        "docs/package.json": package(build="x"),
        "deep/er/package.json": package(test="jest"),
        ".hidden/package.json": package(test="jest"),
    }
    assert [(command.name, command.cwd) for command in found(files)] == [
        ("pytest", ""),
        ("npm test (admin)", "admin"),
        ("npm test (web)", "web"),
        ("go test (tools)", "tools"),
    ]


def test_a_python_project_below_the_root_is_tested_there():
    files = {"server/requirements.txt": "pytest", "server/app.py": "", "server/tests/test_a.py": TEST, "README.md": ""}
    command = one(files)
    assert (command.name, command.cwd, command.found) == ("pytest (server)", "server", "server/requirements.txt")


def test_file_names_that_are_not_valid_text_do_no_harm():
    assert one({"caf\udce9/x.py": "", "go.mod": ""}).name == "go test"
