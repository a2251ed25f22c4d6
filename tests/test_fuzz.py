"""What fuzzing starts from, and what it has found, run as tests: ``python -m fuzz`` searches on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import pytest

from fuzz import mutants
from fuzz.covering import PACKAGE, TESTS, definition, statement
from fuzz.equivalents import reason
from fuzz.json_mutator import mutated
from fuzz.mutants import NEAREST, Change
from fuzz.states import PARTS, loads, written
from fuzz.targets import TARGETS, resumes, sealed
from fuzz.trials import exchanged, place
from scalargrad import optim
from scalargrad.optim import lr_scheduler
from scalargrad.train.checkpoint import decoded

CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus"
FILES = sorted(path.relative_to(CORPUS) for path in CORPUS.rglob("*") if path.is_file())
NEEDED = {"compiled": "numpy", "program": "numpy", "safetensors": "safetensors"}


@pytest.mark.parametrize("file", FILES, ids=str)
def test_input_raises_nothing_but_what_is_meant(file: Path) -> None:
    """Each input is a right answer or an error raised on purpose, and changes nothing by halves."""
    target = file.parts[0]
    if target in NEEDED:
        pytest.importorskip(NEEDED[target])
    TARGETS[target]((CORPUS / file).read_bytes())


def test_every_target_has_a_corpus() -> None:
    """No target is left out of these tests."""
    assert {file.parts[0] for file in FILES} == TARGETS.keys()


def test_the_checkpoint_that_changes_start_from_is_resumed_from() -> None:
    """Else every change of it would be refused for one reason, and nothing behind that be tried."""
    whole = sealed((CORPUS / "checkpoint" / "one").read_bytes())
    assert whole is not None
    assert resumes(whole)
    assert not resumes(whole.replace(b"momentum_buffer", b"buffer"))
    assert sealed(b"[]") is None


@pytest.mark.parametrize("name", PARTS)
def test_the_states_that_changes_start_from_are_loaded(name: str) -> None:
    """Each optimiser and schedule there is has one, and refuses that of a part it is not."""
    whole = (CORPUS / "state" / name).read_bytes()
    assert whole == written(name)
    found = decoded(json.loads(whole)["state"])
    assert loads(PARTS[name], found)
    assert not loads(PARTS[name], {**found, next(iter(found)): "x"})


def test_every_optimiser_and_schedule_has_a_state() -> None:
    """None is left out of the target."""
    own = {name for name in optim.__all__ if name[0].isupper()} - {"Optimizer"}
    assert PARTS.keys() == own | set(lr_scheduler.__all__) - {"LRScheduler"}


def refuse(data: bytes, most: int) -> NoReturn:
    """Stand for libFuzzer's own changes where none is due."""
    raise AssertionError(data[:most])


def test_changes_of_json_are_json() -> None:
    """That is what they are for; the header of safetensors still tells its length."""
    whole = json.dumps({"a": [1, {"b": [2.5, None]}], "c": "d" * 40}).encode()
    found = set()
    for seed in range(200):
        for frame, tail in ((b"", b""), (len(whole).to_bytes(8, "little"), b"numbers")):
            try:
                changed = mutated(frame + whole + tail, 10_000, seed, refuse)
            except AssertionError:
                continue  # one in eight is changed by bytes
            found.add(changed)
            length = int.from_bytes(changed[:8], "little") if frame else len(changed)
            body = changed[len(frame) :]
            json.loads(body[:length])
            assert body[length:] == tail
    assert len(found) > 100
    with pytest.raises(AssertionError, match="no json"):
        mutated(b"no json", 10_000, 0, refuse)


def test_outcomes_of_mutants_are_kept_in_a_fresh_clone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The folder of results, which the repository does not hold, is made with the first of them."""
    monkeypatch.setattr(mutants, "RESULTS", tmp_path / "found" / "mutants.jsonl")
    for outcome in ("killed", "survived"):
        mutants.keep([outcome, "optim/adam.py", 3])
    lines = mutants.RESULTS.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)[0] for line in lines] == ["killed", "survived"]


def test_the_tests_of_mutants_are_where_they_are_looked_for() -> None:
    """A file that was moved away would let every mutant pass for killed."""
    root = CORPUS.parents[1]
    for changed, tests in NEAREST.items():
        assert all((root / path).exists() for path in [f"src/scalargrad/{changed}", *tests])
    assert all((root / path).exists() for path in TESTS)


CODE = """def f(x):
    if x > 0:
        return g(
            x,
            1,
        )
    return [lambda: 2, lambda: 3]
"""


@pytest.mark.parametrize(
    ("line", "lines"), [(1, [1]), (2, [2]), (3, [3, 4, 5, 6]), (5, [3, 4, 5, 6]), (7, [7])]
)
def test_a_statement_is_all_its_lines_and_of_a_block_the_head(line: int, lines: list[int]) -> None:
    """Tests that execute a number on a line of its own may be noted for another line."""
    assert [*statement(CODE, line)] == lines


def test_a_change_is_told_by_its_line_and_what_stood_there() -> None:
    """That is how results are found again when other lines have been edited."""
    assert Change.between(CODE, CODE.replace("1,", "2,")) == (5, "1,", "2,")


def test_functions_of_one_line_are_told_apart() -> None:
    """The code of each is exchanged for its own."""
    functions: dict[str, Any] = {}
    path = str(PACKAGE / "some.py")
    exec(compile(CODE, path, "exec"), functions)
    changes = exchanged("some.py", CODE, CODE.replace("2, ", "5, "))
    for function in (two_and_three := functions["f"](0)):
        function.__code__ = changes[place(function.__code__)]
    assert [function() for function in two_and_three] == [5, 3]


def test_what_is_executed_on_import_is_not_exchanged() -> None:
    """It has happened already: such a mutant needs a new process."""
    for code in ("A = 1", "class A:\n    x = 1"):
        with pytest.raises(ValueError, match="cannot be exchanged"):
            exchanged("some.py", code, code.replace("1", "2"))


@pytest.mark.parametrize(("line", "name"), [(1, ""), (3, "f"), (4, "f"), (5, "f"), (7, "A")])
def test_a_change_is_in_the_outermost_definition_decorators_included(line: int, name: str) -> None:
    """Tests that are named like it run first."""
    code = "x = 1\n\n@g(2)\ndef f():\n    return 3\n\nclass A: y = 4\n"
    assert definition(code, line) == name


DECLARED = """@primitive(domain=Domain((0.5, 2.0), smooth=lambda σ: σ > 0.1, safe=1.0))
def f(x=3.0): ...
@overload
def g(x=3.0): ...
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("2.0", "9.0", "where tests draw"),
        ("σ > 0.1", "σ > 0.9", "difference quotients"),
        ("safe=1.0", "safe=9.0", None),
        ("def f(x=3.0", "def f(x=9.0", None),
        ("def g(x=3.0", "def g(x=9.0", "type checkers"),
    ],
)
def test_changes_that_only_tests_or_type_checkers_see_compute_the_same(
    old: str, new: str, said: str | None
) -> None:
    """What follows them on the same line is not excused."""
    found = reason("some.py", DECLARED, DECLARED.replace(old, new), ("", ""))
    assert found is None if said is None else said in (found or "")
