"""What a compiled function does to its arguments, and what it cannot return."""

from __future__ import annotations

import copy
import functools
import itertools
import pickle
import threading
from collections import Counter, OrderedDict, defaultdict, deque
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalargrad import (
    DomainError,
    JitWarning,
    OperandError,
    Parameter,
    TraceError,
    Value,
    jit,
    ne,
    take,
    vmap,
    where,
)
from scalargrad.compiler.call.record_call import CallRecorder
from scalargrad.nn import Module


@pytest.mark.parametrize(
    ("argument", "change"),
    [
        ([1.0, 2.0], lambda x: x.append(x[0])),
        ([1.0, 2.0], lambda x: x.__setitem__(0, x[1])),
        ([[1.0], [2.0]], lambda x: x[0].clear()),
        ({"a": 1.0}, lambda x: x.update(b=x["a"])),
        (np.array([1.0, 2.0]), lambda x: x.__setitem__(0, 5.0)),
    ],
)
def test_a_changed_argument_is_an_error(argument: Any, change: Any) -> None:
    """What eager evaluation does to its caller's lists, dicts and arrays is not left out."""

    def changing(x: Any) -> float:
        change(x)
        return 0.0

    with pytest.raises(TraceError, match=r"changing> changes a .* among its arguments.* a copy"):
        jit(changing)(argument)


def test_a_changed_copy_is_no_change() -> None:
    """The remedy the error names works."""

    @jit
    def copied(x: list[Any]) -> Any:
        x = copy.deepcopy(x)
        x.append(x[0] * 3.0)
        return x

    given = [1.0, 2.0]
    assert copied(given) == [1.0, 2.0, 3.0]
    assert given == [1.0, 2.0]


def _scale(x: Any) -> None:
    x *= 2.0


@pytest.mark.parametrize(
    ("argument", "change"),
    [
        ([1.0, 2.0], lambda x: x.append(x[0])),
        ({"w": 1.0}, lambda x: x.update(w=x["w"] - 0.1)),
        (np.array([1.0, 2.0]), _scale),
        (np.arange(1000.0), _scale),
        (SimpleNamespace(w=1.0), lambda x: setattr(x, "w", 2.0 * x.w)),
    ],
    ids=["a list", "a dict", "an array", "a large array", "an object"],
)
def test_a_changed_argument_is_an_error_though_it_is_returned(argument: Any, change: Any) -> None:
    """An eager call changes what the caller holds, and a training loop may rely on that."""

    def changed(x: Any) -> Any:
        change(x)
        return x, 1.0

    before = copy.deepcopy(argument)
    with pytest.raises(TraceError, match=r"among its arguments.*change a copy"):
        jit(changed)(argument)
    assert str(argument) == str(before)
    assert str(changed(argument)[0]) != str(before)


class Stateful(Module):
    """Adds up what it has been called with."""

    def __init__(self) -> None:
        self.w = Parameter(2.0)
        self.total: Any = 0.0
        self.calls = 0

    def forward(self, x: Any) -> Any:
        """Return the sum of all so far."""
        self.total = self.total + self.w * x
        return self.total


class Scaled(Module):
    """Multiplies by a parameter."""

    def __init__(self) -> None:
        self.w = Parameter(2.0)

    def forward(self, x: Any) -> Any:
        """Return the product."""
        return self.w * x


def test_state_kept_in_an_attribute_is_an_error() -> None:
    """A hidden state would stay at its first number: no call sees what an earlier one noted."""
    for compiled, args in [(jit(Stateful()), ()), (jit(lambda m, x: m(x)), (Stateful(),))]:
        with pytest.raises(TraceError, match=r"changes Stateful\.total"):
            compiled(*args, 1.0)


def test_globals_that_a_refused_function_has_written_are_put_back() -> None:
    """Neither a count nor a traced number stays behind; None is what the last number replaces."""
    space: dict[str, Any] = {"__name__": "__main__", "count": 0.0, "last": None}
    exec(
        "def counting(x):\n    global count\n    count += 1.0\n    return x * count\n"
        "def keeping(x):\n    global last\n    last = x * 2.0\n    return x + 1.0\n",
        space,
    )
    for name, changed in [("counting", "count"), ("keeping", "last")]:
        with pytest.raises(TraceError, match=f"changes the global {changed}, which is not"):
            jit(space[name])(Value(2.0))
    assert space["count"] == 0.0
    assert space["last"] is None


def test_a_count_that_is_not_read_is_refused_too() -> None:
    """Its reader would find that of the recording: in an array, or an attribute of the function."""
    counts, held = np.zeros((2, 2))[:, 0], np.array([1.0, Value(2.0)], dtype=object)

    def in_array(x: Any) -> Any:
        counts[1] += 1.0
        return 2.0 * x

    def in_objects(x: Any) -> Any:
        held[0] = x
        return 2.0 * x

    def in_attribute(x: Any) -> Any:
        in_attribute.calls += 1  # type: ignore[attr-defined]
        return 2.0 * x

    in_attribute.calls = 0  # type: ignore[attr-defined]

    class Kept:
        calls = 0

    def in_class(x: Any) -> Any:
        Kept.calls += 1
        return 2.0 * x

    for function, named in [
        (in_array, r"ndarray \(counts\)"), (in_objects, r"ndarray \(held\)"),
        (in_attribute, r"in_attribute\.calls"), (in_class, r"Kept\.calls"),
    ]:  # fmt: skip
        with pytest.raises(TraceError, match=f"changes .*{named}, which is not an argument"):
            jit(function)(3.0)
    assert counts.tolist() == [0.0, 0.0]
    assert held[0] == 1.0
    assert in_attribute.calls == 0  # type: ignore[attr-defined]
    assert Kept.calls == 0


class Cached:
    """An object with a Value, of which it keeps what it has computed."""

    def __init__(self) -> None:
        self.w = Value(3.0)

    @functools.cached_property
    def squared(self) -> Any:
        """The square of the Value."""
        return self.w * self.w

    def cubed(self) -> Any:
        """Return the cube of the Value."""
        if not hasattr(self, "cube"):
            self.cube = self.w**3
        return self.cube


@pytest.mark.parametrize(
    ("name", "read", "number"),
    [("squared", lambda held: held.squared, 9.0), ("cube", lambda held: held.cubed(), 27.0)],
)
def test_what_a_refused_function_has_cached_on_an_object_is_taken_back(
    name: str, read: Any, number: float
) -> None:
    """The object is as it was, and what is on it before the call is read at each."""
    held = Cached()
    for _ in range(2):
        with pytest.raises(TraceError, match=rf"changes Cached\.{name}, and computes something"):
            jit(lambda x: read(held) * x)(2.0)
        assert [*vars(held)] == ["w"]
    assert read(held).data == number
    assert jit(lambda x: read(held) * x)(2.0).data == 2.0 * number


def test_what_a_function_has_written_before_it_is_refused_is_taken_back() -> None:
    """So is what the eager call writes that follows for the error: the state is still 4."""
    held = SimpleNamespace(state=4.0, calls=0, last=deque([3.0], maxlen=2), sizes={1})
    held.ordered = OrderedDict(a=1.0, b=2.0)

    def moving(x: Any) -> Any:
        held.calls += 1
        held.last.append(x)
        held.sizes.add(len(held.sizes) + 1)
        held.ordered["c"] = held.ordered.pop("a")
        held.state = 0.5 * held.state + x
        return x * float(x)

    with pytest.raises(TraceError, match=r"float\(\) or a math function was called"):
        jit(moving)(2.0)
    assert (held.state, held.calls, [*held.last], held.sizes) == (4.0, 0, [3.0], {1})
    assert [*held.ordered.items()] == [("a", 1.0), ("b", 2.0)]


class Fixed:
    """What refuses assignments, and keeps what it has computed."""

    def __init__(self) -> None:
        vars(self)["w"] = 3.0

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)

    __delattr__ = __setattr__  # type: ignore[assignment]

    @functools.cached_property
    def squared(self) -> float:
        """The square of w."""
        return self.w**2  # type: ignore[attr-defined, no-any-return]


def test_what_an_object_has_cached_that_refuses_assignments_is_taken_back() -> None:
    """The error is that of the refusal."""
    held = Fixed()
    with pytest.raises(TraceError, match=r"float\(\) or a math function was called"):
        jit(lambda x: held.squared * x * float(x))(2.0)
    assert held.squared == 9.0


class Turns:
    """Numbers one after the other, again and again."""

    def __init__(self) -> None:
        self.numbers, self.at = [1.0, 2.0], 0

    def __iter__(self) -> Turns:
        return self

    def __next__(self) -> float:
        self.at = (self.at + 1) % 2
        return self.numbers[self.at]


def test_an_iterator_of_a_users_class_goes_by_its_attributes() -> None:
    """It is refused where it advances, which is undone; it may be read beside a log."""
    turns, log = Turns(), [0.0]

    def reading(x: Any) -> Any:
        log.append(1.0)
        return turns.numbers[1] * x

    assert jit(reading)(3.0) == 6.0
    with pytest.raises(TraceError, match=r"changes Turns\.at"):
        jit(lambda x: next(turns) * x)(3.0)
    assert (turns.numbers, turns.at, log) == ([1.0, 2.0], 0, [0.0, 1.0])


class Counting(list[float]):
    """A list that counts how often it is asked."""

    asked = 0

    def first(self) -> float:
        """Return the first number."""
        self.asked += 1
        return self[0]


def test_the_attributes_of_a_list_are_looked_at_beside_its_items() -> None:
    """A count that would stay as it was is refused, and undone."""
    counting = Counting([2.0])
    assert counting.first() == 2.0
    with pytest.raises(TraceError, match=r"changes a dict \(attributes of Counting\)"):
        jit(lambda x: counting.first() * x)(3.0)
    assert counting.asked == 1


def test_arrays_that_cannot_be_written_are_read_beside_what_is_taken_back() -> None:
    """Nothing has changed there; a refusal says what it refuses."""
    fixed, log = np.broadcast_to(2.0, 3), [0.0]

    def reading(x: Any) -> Any:
        log.append(1.0)
        return fixed[1] * x

    assert jit(reading)(3.0) == 6.0
    with pytest.raises(TraceError, match=r"float\(\) or a math function was called"):
        jit(lambda x: reading(x) * float(x))(3.0)
    assert log == [0.0, 1.0]


def test_what_another_thread_changes_meanwhile_is_not_undone() -> None:
    """Its assignments stay, as the function makes none again; what the function counts does not."""
    settings, counts = SimpleNamespace(rate=1.0), SimpleNamespace(calls=0.0)
    recording, assigned = threading.Event(), threading.Event()

    def scaled(x: Any) -> Any:
        recording.set()
        assert assigned.wait(60)
        return x * settings.rate

    def counting(x: Any) -> Any:
        counts.calls += 1.0
        return scaled(x)

    def assign() -> None:
        assert recording.wait(60)
        settings.rate = 3.0
        assigned.set()

    for function, message in [
        (scaled, r"SimpleNamespace\.rate was changed by another thread while"),
        (counting, r"changes SimpleNamespace\.calls, which is not"),
    ]:
        settings.rate = 1.0
        recording.clear()
        assigned.clear()
        thread = threading.Thread(target=assign)
        thread.start()
        with pytest.raises(TraceError, match=message):
            jit(function)(2.0)
        thread.join()
        assert (settings.rate, counts.calls) == (3.0, 0.0)
        assert jit(scaled)(2.0) == 6.0


@pytest.mark.parametrize(("before", "after"), [(1.0, 3.0), (Value(1.0), Value(3.0))])
def test_what_another_thread_assigns_after_a_recording_is_seen(
    before: Any, after: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is neither undone nor left unread for ever, as a Value is that no name leads to."""
    settings, record = SimpleNamespace(rate=before), CallRecorder.record
    recordings = itertools.count()

    def record_and_assign(recorder: CallRecorder, *args: Any) -> Any:
        found = record(recorder, *args)
        settings.rate = settings.rate if next(recordings) else after
        return found

    compiled = jit(lambda x: x * settings.rate)
    with monkeypatch.context() as patched:
        patched.setattr(CallRecorder, "record", record_and_assign)
        with pytest.raises(TraceError, match=r"was changed by another thread while"):
            compiled(2.0)
    assert settings.rate is after
    found: Any = compiled(2.0)
    assert (found.data if isinstance(found, Value) else found) == 6.0


def test_a_dict_may_grow_while_it_is_compared() -> None:
    """As by another thread: what is read is right, and no error of a dict comes out."""
    table: dict[Any, Any] = {"rate": 3.0}

    class Growing(dict[str, Any]):
        def values(self) -> Any:
            table[len(table)] = 1.0
            return super().values()

    table["inside"] = Growing(a=[1.0])
    compiled = jit(lambda x: x * table["rate"])
    with pytest.warns(JitWarning, match="what it closes over keeps changing|recorded"):
        assert [compiled(2.0) for _ in range(12)] == [6.0] * 12


def test_dicts_keep_their_kind() -> None:
    """A defaultdict keeps its factory and a Counter does not add up keys on the way."""
    table: defaultdict[str, list[Any]] = defaultdict(list, a=[1.0])
    found = jit(lambda d: d)(table)
    assert found == {"a": [1.0]}
    assert found["missing"] == []
    assert jit(lambda d: d["b"])(table | {"b": [3.0]}) == [3.0]
    assert jit(lambda d: d)(Counter(a=2, b=3)) == Counter(a=2, b=3)


class Settings(dict[str, Any]):
    """A dict whose items are attributes, too; asked for any other, it raises KeyError."""

    __getattr__ = dict.__getitem__


def test_an_argument_may_raise_any_error_for_an_attribute_it_lacks() -> None:
    """Whether it is a number or an array is asked of its class."""
    settings = Settings(rate=2.0, weight=Value(3.0))
    assert jit(lambda s, x: s.rate * s.weight * x)(settings, 1.5).data == 9.0
    several = [Settings(rate=2.0, weight=k) for k in (3.0, 5.0)]
    for mapped in (vmap(lambda s: s.rate * s.weight), jit(vmap(lambda s: s.rate * s.weight))):
        assert mapped(several) == [6.0, 10.0]


@pytest.mark.parametrize(
    "function", [lambda x: {x}, lambda x: (x for _ in range(2)), lambda x: map(abs, [x])]
)
def test_a_result_that_cannot_be_made_again_is_an_error(function: Any) -> None:
    """An iterator would be used up by the first call, and a set holds Values of the recording."""
    with pytest.raises(TraceError, match="return a list"):
        jit(function)(Value(2.0))


def test_an_iterator_at_its_end_has_not_moved() -> None:
    """To ask it in vain changes nothing; to take its last item does."""
    for items, expected in (([], 7.0), ([1.0], None)):
        left = iter(items)
        compiled = jit(lambda x, left=left: 2.0 * x + next(left, 3.0))
        if expected is None:
            with pytest.raises(TraceError, match="changes"):
                compiled(2.0)
        else:
            assert [compiled(2.0), compiled(2.0)] == [expected, expected]


def test_copies_compute_on() -> None:
    """A copy takes arguments of shapes never recorded, though its function has no module."""
    w = Value(2.0)
    compiled = jit(lambda x: w * x)
    assert compiled(Value(3.0)).data == 6.0
    for copied in (copy.copy(compiled), copy.deepcopy(compiled)):
        assert copied(4.0).data == 8.0
        w.data = 5.0
        assert copied(Value(3.0)).data == 15.0
        w.data = 2.0


def test_a_compiled_module_is_copied_and_pickled_with_its_parameters() -> None:
    """Copies keep the parameters of their own, and compute for new shapes."""
    module = Scaled()
    compiled = jit(module)
    assert compiled(1.0).data == 2.0
    copies = [copy.deepcopy(compiled), pickle.loads(pickle.dumps(compiled))]
    module.w.data = 7.0
    assert compiled(1.0).data == 7.0
    for copied in copies:
        assert copied(3.0).data == 6.0
        assert copied(Value(3.0)).data == 6.0


@pytest.mark.parametrize(
    "function",
    [lambda x: f"{x:.2f}", lambda x: str(x), lambda x: [f"{x}"]],  # noqa: PLW0108 - jit names it
)
def test_text_of_a_number_is_refused(function: Any) -> None:
    """Text would stay as it was at the first call."""
    with pytest.raises(TraceError, match="print it outside"):
        jit(function)(1.0)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.view(np.int64)[0] * 1.0,
        lambda x: np.interp(0.5, x, x) and x.view(np.int64)[0] * 1.0,
    ],
)
def test_python_errors_while_recording_say_that_numbers_are_values(function: Any) -> None:
    """What plain numbers allow and Values do not is explained where it goes wrong."""
    with pytest.raises((TypeError, LookupError, TraceError)) as caught:
        jit(function)(np.array([1.0, 1.0]))
    assert any("every number of its arguments is a Value" in x for x in caught.value.__notes__)


def test_an_index_array_may_be_static_or_closed_over() -> None:
    """The remedies named in the note work."""
    mask, x = np.array([True, False, True]), np.array([1.0, 2.0, 3.0])
    static = jit(lambda x, mask: x[mask] * 2.0, static_argnames="mask")
    assert static(x, mask=mask).tolist() == [2.0, 6.0]
    assert jit(lambda x: x[mask] * 2.0)(x).tolist() == [2.0, 6.0]


def test_an_index_is_sent_to_take_and_a_count_to_static_arguments() -> None:
    """Both remedies are in the message, and both work."""
    table = [10.0, 20.0]
    with pytest.raises(TraceError, match=r"take\(values, i\).*static_argnames"):
        jit(lambda i: table[i])(1)
    assert jit(lambda i: take(table, i))(1) == 20.0
    steps = jit(lambda x, n: sum(x for _ in range(n)), static_argnames="n")
    assert steps(2.0, n=3) == 6.0


def test_static_arguments_are_known_by_position_and_name() -> None:
    """A static argument is static whichever way it is passed; a negative position counts back."""

    def chosen(x: float, n: int) -> float:
        return x * [1.0, 2.0][n]

    for options in ({"static_argnames": "n"}, {"static_argnums": 1}, {"static_argnums": -1}):
        compiled: Any = jit(chosen, **options)
        assert compiled(3.0, 1) == compiled(3.0, n=1) == 6.0
    for wrong in ({"static_argnames": "k"}, {"static_argnums": 2}):
        with pytest.raises(OperandError, match="static_arg"):
            jit(chosen, **wrong)
    with pytest.raises(OperandError, match="cannot be called"):
        jit(3)  # type: ignore[call-overload]


def test_a_caught_domain_error_does_not_decide_for_other_numbers() -> None:
    """What is returned after leaving a domain is evaluated eagerly, and so are later such calls."""

    def inverse(x: Any) -> Any:
        try:
            return 1.0 / x
        except DomainError:
            return 0.0

    compiled = jit(inverse)
    for x in (0.0, 2.0, 0.0):
        assert float(getattr(compiled(Value(x)), "data", 0.0)) == (1.0 / x if x else 0.0)
    guarded = jit(lambda x: where(ne(x, 0.0), 1.0 / where(ne(x, 0.0), x, 1.0), 0.0))
    assert [guarded(0.0), guarded(2.0)] == [0.0, 0.5]


def test_the_line_named_is_not_one_of_the_standard_library() -> None:
    """What statistics.py asks for floats; the line to change is its caller's."""
    import statistics

    def average(x: list[Any]) -> Any:
        return statistics.fmean(x)

    with pytest.raises(TraceError, match=rf"{__file__}:\d+.*\n    return statistics\.fmean"):
        jit(average)([1.0, 2.0])


@pytest.mark.parametrize("entries", ["abc", [{"a": 1.0}], [Scaled()]])
def test_take_chooses_among_numbers_only(entries: Any) -> None:
    """A program has no text, dicts or modules to choose from; the message says what helps."""
    with pytest.raises(TraceError, match="make the index static"):
        jit(lambda i: take(entries, i))(0)
    assert jit(lambda i: take(entries, i) and 1.0, static_argnums=0)(0) == 1.0


@pytest.mark.parametrize("rows", [[[1.0], [1.0, 2.0]], [[1.0], 2.0]])
def test_rows_that_a_computed_index_chooses_have_one_length(rows: Any) -> None:
    """What comes out has one shape, whichever row it is."""
    with pytest.raises(OperandError, match="rows of one length"):
        take(rows, Value(1.0))


@pytest.mark.parametrize("x", [1.0, Value(1.0), np.array(1.0), {"a": 1.0}, {1.0}])
def test_vmap_names_an_argument_that_holds_no_examples(x: Any) -> None:
    """A number mapped by mistake is met by in_axes, not by Python's len."""
    with pytest.raises(OperandError, match="None in in_axes"):
        vmap(lambda a, b: a)([1.0], x)


def test_vmap_says_that_axes_are_no_trees() -> None:
    """JAX's nested in_axes is refused as what it is."""
    with pytest.raises(OperandError, match="give 0 or None for each"):
        vmap(lambda d: d, in_axes=({"a": 0},))({"a": [1.0]})  # type: ignore[arg-type]
