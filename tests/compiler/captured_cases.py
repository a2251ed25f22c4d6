# ruff: noqa: E501, ISC004 - tables of source text
"""Programs of their own: types of numbers, rules and code, settings of the process, files, clocks.

A case is a setup, an expression, and changes. The expression stands in the function, in a helper,
in a method, in a property or in a callback. What is a call, as of ``time.time``, is made by each of
`CALL_ROUTES`: through an alias, an import inside, a class attribute, `getattr` and so on.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from textwrap import indent
from typing import Any

# Types ------------------------------------------------------------------------------------------

#: Tests of the type of ``n``.
TYPE_TESTS: dict[str, str] = {
    "isinstance float": "isinstance(n, float)",
    "isinstance of numbers": "isinstance(n, (int, float))",
    "isinstance of a global": "isinstance(n, REAL)",
    "isinstance of a union": "isinstance(n, int | float)",
    "isinstance int": "isinstance(n, int)",
    "isinstance bool": "isinstance(n, bool)",
    "isinstance Value": "isinstance(n, Value)",
    "isinstance of Values too": "isinstance(n, (float, Value))",
    "isinstance Number": "isinstance(n, numbers.Number)",
    "isinstance Real": "isinstance(n, numbers.Real)",
    "isinstance Integral": "isinstance(n, numbers.Integral)",
    "isinstance of NumPy": "isinstance(n, np.floating)",
    "isinstance of np.number": "isinstance(n, (np.number, np.ndarray))",
    "isinstance SupportsFloat": "isinstance(n, typing.SupportsFloat)",
    "isinstance Hashable": "isinstance(n, collections.abc.Hashable)",
    "isinstance Iterable": "isinstance(n, collections.abc.Iterable)",
    "isinstance of an abstract class": "isinstance(n, Real)",
    "isinstance of a protocol": "isinstance(n, HasData)",
    "isinstance by getattr": "getattr(builtins, 'isinst' + 'ance')(n, float)",
    "isinstance by an alias": "IS(n, float)",
    "isinstance by partial": "functools.partial(isinstance, n)(float)",
    "isinstance by map": "[*map(isinstance, [n], [float])][0]",
    "isinstance in all": "all(isinstance(m, float) for m in [n, n])",
    "isinstance not": "not isinstance(n, float)",
    "isinstance complex": "isinstance(n, complex)",
    "isinstance str": "isinstance(n, str)",
    "isinstance of a container": "isinstance(n, (list, tuple))",
    "issubclass": "issubclass(type(n), float)",
    "issubclass of a global": "issubclass(n.__class__, REAL)",
    "type is float": "type(n) is float",
    "type is not float": "type(n) is not float",
    "type in": "type(n) in (int, float)",
    "type in a set": "type(n) in {int, float}",
    "type equals": "type(n) == float",
    "type by name": "type(n).__name__ == 'float'",
    "class is": "n.__class__ is float",
    "class by name": "n.__class__.__name__ == 'float'",
    "table of types": "{float: True}.get(type(n), False)",
    "table of types, by item": "{float: 1, int: 0, Value: 0}[type(n)]",
    "hasattr data": "hasattr(n, 'data')",
    "hasattr is_integer": "hasattr(n, 'is_integer')",
    "hasattr backward": "hasattr(n, 'back' + 'ward')",
    "hasattr __float__": "hasattr(n, '__float__')",
    "getattr data": "getattr(n, 'data', None) is None",
    "callable": "callable(n)",
    "isscalar": "np.isscalar(n)",
    "ndim": "np.ndim(n) == 0",
    "isreal": "np.isreal(n)",
    "isinstance in a helper": "is_float(n)",
    "isinstance in a method": "Checks().is_float(n)",
    "type test in a helper": "is_exactly_float(n)",
    "match float": "matches_float(n)",
    "match int": "matches_int(n)",
    "match a union": "matches_number(n)",
    "match Value": "matches_value(n)",
    "match a mapping": "matches_mapping({'r': n})",
    "match a sequence": "matches_sequence([n, 1.0])",
    "match a class": "matches_class(types.SimpleNamespace(r=n))",
    "singledispatch": "dispatched(n)",
    "singledispatch of numbers": "dispatched_number(n)",
    "singledispatchmethod": "Checks().dispatched(n)",
    "dispatch": "dispatched.dispatch(type(n)) is dispatched.dispatch(float)",
    "try float method": "has_method(n)",
    "identity": "n is n",
    "is None": "n is None",
    "isinstance of type": "isinstance(n, type(2.0))",
    "isinstance of type of another": "isinstance(n, type(EXAMPLE))",
    "same type": "type(n) is type(EXAMPLE)",
    "isinstance of Any": "isinstance(n, object)",
    "dir": "'is_integer' in dir(n)",
    "repr": "repr(n).startswith('Value')",
    "mro": "float in type(n).__mro__",
}  # fmt: skip

_TYPE_SETUP = """REAL = (int, float)
EXAMPLE = 2.0
IS = isinstance
class Real(abc.ABC):
    pass
Real.register(float)
@typing.runtime_checkable
class HasData(typing.Protocol):
    data: float
class Checks:
    def is_float(self, n):
        return isinstance(n, float)
    @functools.singledispatchmethod
    def dispatched(self, n):
        return False
    @dispatched.register
    def _(self, n: float):
        return True
def is_float(n):
    return isinstance(n, float)
def is_exactly_float(n):
    return type(n) is float
def matches_float(n):
    match n:
        case float():
            return True
        case _:
            return False
def matches_int(n):
    match n:
        case int(m):
            return True
        case _:
            return False
def matches_number(n):
    match n:
        case int() | float():
            return True
        case _:
            return False
def matches_value(n):
    match n:
        case Value():
            return True
        case _:
            return False
def matches_mapping(n):
    match n:
        case {'r': float(r)}:
            return True
        case _:
            return False
def matches_sequence(n):
    match n:
        case [float(), *rest]:
            return True
        case _:
            return False
def matches_class(n):
    match n:
        case types.SimpleNamespace(r=float()):
            return True
        case _:
            return False
@functools.singledispatch
def dispatched(n):
    return False
@dispatched.register
def _(n: float):
    return True
@functools.singledispatch
def dispatched_number(n):
    return False
@dispatched_number.register
def _(n: numbers.Number):
    return True
def has_method(n):
    try:
        n.is_integer
    except AttributeError:
        return False
    return True
"""

#: Changes of what the tests read.
_TYPE_CHANGES = [
    "global REAL\nREAL = (int, Value)", "global EXAMPLE\nEXAMPLE = 2", "Real.register(Value)",
    "Real.register(int)", "dispatched.register(Value, lambda n: True)",
    "dispatched.register(int, lambda n: True)", "dispatched_number.register(float, lambda n: False)",
    "HELD['w'] = Value(3.0)", "HELD['w'] = 3", "HELD['w'] = 2.0", "HELD['w'] = True", "pass",
    "global IS\nIS = lambda n, kind: False", "HELD['w'] = np.float64(3.0)",
]  # fmt: skip

#: Numbers whose types are tested, how the function takes x, and how it is called.
NUMBERS: dict[str, tuple[str, str, str]] = {
    "argument": ("x", "x", "compiled(x)"),
    "keyword-only argument": ("n", "x, *, n", "compiled(x, n=x)"),
    "default argument": ("n", "x, n=2.5", "compiled(x)"),
    "argument of many": ("ns[0]", "*ns", "compiled(x, 1.0)"),
    "argument of keywords": ("ns['n']", "x, **ns", "compiled(x, n=x)"),
    "argument in a list": ("ns[1]", "x, ns", "compiled(x, [1.0, x])"),
    "argument in a dict": ("ns['a']", "x, ns", "compiled(x, {'a': x})"),
    "argument in a tuple": ("ns[0]", "x, ns", "compiled(x, (x, 2))"),
    "argument in a dataclass": ("ns.n", "x, ns", "compiled(x, Point(x))"),
    "argument in a named tuple": ("ns.n", "x, ns", "compiled(x, Pair(x, 1))"),
    "argument in an array": ("ns[0]", "x, ns", "compiled(x, np.array([1.0, 2.0]))"),
    "argument in an object": ("ns.n", "x, ns", "compiled(x, types.SimpleNamespace(n=x))"),
    "static argument": ("ns", "x, ns", "compiled(x, 2.0)"),
    "captured number": ("HELD['w']", "x", "compiled(x)"),
    "product": ("x * 2.0", "x", "compiled(x)"),
    "product of a captured number": ("x * HELD['w']", "x", "compiled(x)"),
    "function of it": ("sg.sin(x)", "x", "compiled(x)"),
    "sum": ("sum([x, x])", "x", "compiled(x)"),
    "maximum": ("max(x, 1.0)", "x", "compiled(x)"),
    "chosen by where": ("sg.where(x > 1.0, x, 0.5)", "x", "compiled(x)"),
    "comparison": ("(x > 1.0)", "x", "compiled(x)"),
    "detached": ("sg.identity(x)", "x", "compiled(x)"),
    "power": ("x ** 2", "x", "compiled(x)"),
    "negation": ("-x", "x", "compiled(x)"),
    "plain number": ("2.0", "x", "compiled(x)"),
    "sum over a generator": ("sum(m for m in [x, 2.0] if isinstance(m, float))", "x", "compiled(x)"),
    "product of integers": ("x * 1", "x", "compiled(x)"),
    "floor": ("x // 1", "x", "compiled(x)"),
    "absolute value": ("abs(x)", "x", "compiled(x)"),
    "draw": ("drawn(RNG.random)", "x", "compiled(x)"),
    "mean": ("sg.mean([x, 1.0])", "x", "compiled(x)"),
    "inner gradient": ("grad(lambda y: y * y)(x)", "x", "compiled(x)"),
}  # fmt: skip
_NUMBER_SETUP = """HELD = {'w': 2.0}
RNG = random.Random(0)
class Pair(typing.NamedTuple):
    n: typing.Any
    m: typing.Any
@dataclasses.dataclass
class Point:
    n: typing.Any
"""

#: Uses of a test of a type.
TYPE_USES = {
    "choice": "r = 2.0 * x if $test else 3.0 * x",
    "statement": "r = 3.0 * x\nif $test:\n    r = 2.0 * x",
    "sum": "r = x * float(sum(1 for n in [n, 1.0, 2] if $test))",
    "number": "r = x * (1.0 + float(bool($test)))",
    "assertion": "assert $test\nr = x * 2.0",
    "error": "if not $test:\n    raise TypeError(n)\nr = x * 2.0",
    "coercion": "m = n if $test else float(len([n]))\nr = m * x",
}

TYPE_FORMS = {
    "jit": "jit(f)",
    "jit of grad": "jit(grad(f))",
    "jit in jit": "(lambda g: jit(lambda *a, **k: g(*a, **k)))(jit(f))",
    "vmap": "jit(lambda x, *a, **k: sum(vmap(lambda y: f(y, *a, **k))([x, x + 1.0])))",
    "scan": "jit(lambda x, *a, **k: scan(lambda c, y: (c + f(y, *a, **k), c), 0.0, [x, 2.0])[0])",
}


def _types(r: random.Random, arguments: Callable[..., list[str]], calls: int) -> dict[str, Any]:
    """Return a program that tests the type of a number."""
    test, number = r.choice([*TYPE_TESTS]), r.choice([*NUMBERS] + ["argument"] * 12)
    use = r.choice([*TYPE_USES] + ["choice"] * 6)
    form = "jit" if r.random() < 0.7 else r.choice([*TYPE_FORMS])
    expression, signature, call = NUMBERS[number]
    lines = TYPE_USES[use].replace("$test", f"({TYPE_TESTS[test]})")
    first = "x = ns[0]\n" if signature == "*ns" else ""
    body = first + (f"n = {expression}\n" if expression != "n" else "") + lines + "\nreturn r"
    compiled = TYPE_FORMS[form]
    if number == "static argument":
        compiled = "jit(f, static_argnums=1)"
    source = (
        f"{_NUMBER_SETUP}{_TYPE_SETUP}def f({signature}):\n{indent(body, '    ')}\n"
        f"compiled = {compiled}\ndef call(x):\n    return {call}\n"
    )
    source += _changes(r, calls, _TYPE_CHANGES)
    named = {"route": f"type: {test}", "place": number, "use": use, "form": form}
    given = ["2.0", "2.0", "Value(2.0)", "2", "np.float64(2.0)", "True", "np.float32(2.0)",
             "Parameter(2.0)", "np.int64(2)"]  # fmt: skip
    return {"parts": named, "source": source, "arguments": r.choices(given, k=calls)}


def _changes(r: random.Random, calls: int, changes: list[str]) -> str:
    """Return definitions of changes before the calls."""
    return "".join(
        f"def change_{j}():\n{indent(r.choice(changes), '    ')}\n" for j in range(1, calls)
    )


# Routes to calls --------------------------------------------------------------------------------

#: Calls of ``$m.$f`` with ``$a``: setup, lines of the function, expression.
CALL_ROUTES: dict[str, tuple[str, str, str]] = {
    "literal": ("", "", "$m.$f($a)"),
    "imported inside": ("", "import $m as module", "module.$f($a)"),
    "name imported inside": ("", "from $m import $f as called", "called($a)"),
    "getattr": ("", "", "getattr($m, '$f')($a)"),
    "getattr of a sum": ("", "t = '$tail'", "getattr($m, '$head' + t)($a)"),
    "getattr of a global name": ("NAME = '$f'", "", "getattr($m, NAME)($a)"),
    "vars": ("", "", "vars($m)['$f']($a)"),
    "alias": ("CALLED = $m.$f", "", "CALLED($a)"),
    "alias of the module": ("import $m as module", "", "module.$f($a)"),
    "alias by import": ("from $m import $f as called", "", "called($a)"),
    "alias in a closure": (
        "def making():\n    called = $m.$f\n    return lambda *a, **k: called(*a, **k)\n"
        "MADE = making()", "", "MADE($a)"),
    "default argument": (
        "def through(*a, called=$m.$f):\n    return called(*a)", "", "through($a)"),
    "static method": ("class Clock:\n    now = staticmethod($m.$f)", "", "Clock.now($a)"),
    "static method of an object": (
        "class Clock:\n    now = staticmethod($m.$f)\nCLOCK = Clock()", "", "CLOCK.now($a)"),
    "attribute of an object": ("CLOCK = types.SimpleNamespace(now=$m.$f)", "", "CLOCK.now($a)"),
    "attribute by a computed name": (
        "CLOCK = types.SimpleNamespace(now=$m.$f)", "", "getattr(CLOCK, f'n{\"ow\"}')($a)"),
    "attribute of a function": (
        "def holder():\n    pass\nholder.now = $m.$f", "", "holder.now($a)"),
    "attribute set in __init__": (
        "class Clock:\n    def __init__(self, now=$m.$f):\n        self.now = now\n"
        "CLOCK = Clock()", "", "CLOCK.now($a)"),
    "method": ("class Clock:\n    def now(self):\n        return $m.$f($a)\nCLOCK = Clock()", "",
               "CLOCK.now()"),
    "method by dispatch": (
        "class Clock:\n    def act_now(self):\n        return $m.$f($a)\n"
        "    def act(self, n):\n        return getattr(self, 'act_' + n)()\nCLOCK = Clock()", "",
        "CLOCK.act('now')"),
    "method that imports": (
        "class Clock:\n    def now(self):\n        import $m as module\n"
        "        return module.$f($a)\nCLOCK = Clock()", "", "getattr(CLOCK, 'no' + 'w')()"),
    "property": (
        "class Clock:\n    @property\n    def now(self):\n        return $m.$f($a)\n"
        "CLOCK = Clock()", "", "CLOCK.now"),
    "property by name": (
        "class Clock:\n    @property\n    def now(self):\n        return $m.$f($a)\n"
        "CLOCK = Clock()", "", "getattr(CLOCK, ''.join('now'))"),
    "__getattr__": (
        "class Clock:\n    def __getattr__(self, n):\n        return $m.$f($a)\nCLOCK = Clock()",
        "", "CLOCK.now"),
    "__call__": (
        "class Clock:\n    def __call__(self):\n        return $m.$f($a)\nCLOCK = Clock()", "",
        "CLOCK()"),
    "descriptor": (
        "class Now:\n    def __get__(self, o, kind=None):\n        return $m.$f($a)\n"
        "class Clock:\n    now = Now()", "", "Clock.now"),
    "__float__": (
        "class Clock:\n    def __float__(self):\n        return float($m.$f($a))\nCLOCK = Clock()",
        "", "float(CLOCK)"),
    "__str__": (
        "class Clock:\n    def __str__(self):\n        return repr(float($m.$f($a)))\nCLOCK = Clock()",
        "", "float(f'{CLOCK}')"),
    "__iter__": (
        "class Clock:\n    def __iter__(self):\n        yield $m.$f($a)\nCLOCK = Clock()", "",
        "[*CLOCK][0]"),
    "class made by exec": (
        "SCOPE = {}\nexec('''import $m\nclass Clock:\n    def now(self):\n        return $m.$f()\n''', SCOPE)\n"
        "CLOCK = SCOPE['Clock']()", "", "CLOCK.now($a)"),
    "default factory of a dataclass": (
        "@dataclasses.dataclass\nclass Stamp:\n    at: float = dataclasses.field(\n"
        "        default_factory=lambda: $m.$f($a))", "", "Stamp().at"),
    "made by __init__": (
        "class Stamp:\n    def __init__(self):\n        self.at = $m.$f($a)", "", "Stamp().at"),
    "item of a dict": ("TABLE = {'now': $m.$f}", "", "TABLE['now']($a)"),
    "item of a list": ("CALLS = [abs, $m.$f]", "", "CALLS[-1]($a)"),
    "default factory": ("", "", "collections.defaultdict(lambda: $m.$f($a))[1]"),
    "partial": ("", "", "functools.partial($m.$f)($a)"),
    "partial global": ("CALLED = functools.partial($m.$f)", "", "CALLED($a)"),
    "methodcaller": ("", "", "operator.methodcaller('$f', $a)($m)"),
    "attrgetter": ("", "", "operator.attrgetter('$f')($m)($a)"),
    "operator.call": ("", "", "operator.call($m.$f, $a)"),
    "map": ("", "", "[*map(lambda called: called($a), [$m.$f])][0]"),
    "comprehension": ("", "", "[called($a) for called in ($m.$f,)][0]"),
    "generator": ("", "", "next(called($a) for called in ($m.$f,))"),
    "generator function": (
        "def stream():\n    while True:\n        yield $m.$f($a)", "", "next(stream())"),
    "iter of a function": ("", "", "next(iter(lambda: $m.$f($a), None))"),
    "reduce": ("", "", "functools.reduce(lambda _, called: called($a), [$m.$f], None)"),
    "key of sorted": ("", "", "reversed_key(sorted([0], key=lambda _: STAMPS.append($m.$f($a)) or 0))"),
    "key of max": ("", "", "max([0.0], key=lambda _: 0) + $m.$f($a)"),
    "__import__": ("", "", "__import__('$m', fromlist=['a']).$f($a)"),
    "import_module": ("", "", "importlib.import_module('$m').$f($a)"),
    "sys.modules": ("", "", "sys.modules['$m'].$f($a)"),
    "eval": ("", "", "eval('module.$f', {'module': $m})($a)"),
    "wrapped": (
        "@functools.wraps($m.$f)\ndef called(*a):\n    return $m.$f(*a)", "", "called($a)"),
    "in another module": (
        "other = types.ModuleType('other_of_x')\nexec('import $m\\ncalled = $m.$f', other.__dict__)",
        "", "other.called($a)"),
    "helper in another module": (
        "other = types.ModuleType('other_of_x')\n"
        "exec('import $m\\ndef called(*a):\\n    return $m.$f(*a)', other.__dict__)", "",
        "other.called($a)"),
    "recursion": (
        "def down(n):\n    return $m.$f($a) if n == 0 else down(n - 1)", "", "down(2)"),
    "decorated": (
        "def through(f):\n    return lambda *a: f(*a)\n@through\ndef called():\n"
        "    return $m.$f($a)", "", "called()"),
    "context manager": (
        "@contextlib.contextmanager\ndef timing():\n    yield $m.$f($a)\n"
        "def entered(o):\n    with o as found:\n        return found", "", "entered(timing())"),
    "thread": ("", "", "concurrent.futures.ThreadPoolExecutor(1).submit(lambda: $m.$f($a)).result()"),
    "coroutine": (
        "async def called():\n    return $m.$f($a)\ndef run(c):\n    try:\n        c.send(None)\n"
        "    except StopIteration as e:\n        return e.value", "", "run(called())"),
    "compiled function": ("CALLED = jit(lambda: $m.$f($a))", "", "CALLED()"),
    "cached": ("@functools.lru_cache\ndef which():\n    return $m.$f\nwhich()", "", "which()($a)"),
    "metaclass property": (
        "class Meta(type):\n    @property\n    def now(cls):\n        return $m.$f($a)\n"
        "class Clock(metaclass=Meta):\n    pass", "", "Clock.now"),
    "super": (
        "class Base:\n    def now(self):\n        return $m.$f($a)\nclass Clock(Base):\n"
        "    def now(self):\n        return super().now()\nCLOCK = Clock()", "", "CLOCK.now()"),
    "try": ("", "", "tried()"),
}  # fmt: skip
CALL_ROUTES["try"] = (
    "def tried():\n    try:\n        return $m.$f($a)\n    finally:\n        pass",
    "",
    "tried()",
)
del CALL_ROUTES["key of sorted"]

#: Clocks of high resolution: module, function, arguments, and what makes a number of the result.
CLOCKS = [
    ("time", "perf_counter", "", "$c"), ("time", "time", "", "$c"), ("time", "monotonic", "", "$c"),
    ("time", "time_ns", "", "($c % 10**9)"), ("time", "perf_counter_ns", "", "($c % 10**9)"),
    ("time", "process_time_ns", "", "float($c)"), ("timeit", "default_timer", "", "$c"),
    ("datetime.datetime", "now", "", "$c.timestamp()"),
    ("datetime.datetime", "utcnow", "", "$c.microsecond"),
    ("datetime.datetime", "today", "", "$c.timestamp()"),
    ("uuid", "uuid4", "", "($c.int % 1000003)"), ("uuid", "uuid1", "", "float($c.time % 1000003)"),
    ("os", "urandom", "4", "float(int.from_bytes($c))"),
    ("secrets", "randbelow", "10**9", "float($c)"),
    ("random", "random", "", "$c"), ("random", "gauss", "0.0, 1.0", "$c"),
    ("np.random", "rand", "", "$c"), ("np.random", "default_rng", "", "$c.random()"),
    ("random", "Random", "", "$c.random()"), ("random", "SystemRandom", "", "$c.random()"),
    ("time", "clock_gettime", "time.CLOCK_MONOTONIC", "$c"),
    ("os", "times", "", "$c.elapsed * 1000.0 + len(repr(object())) * 0.0 + time.perf_counter()"),
]  # fmt: skip
#: Clocks that may tell the same at each call: these must be refused.
COARSE_CLOCKS = [
    ("datetime.date", "today", "", "$c.day"), ("time", "localtime", "", "$c.tm_year"),
    ("time", "gmtime", "", "$c.tm_yday"), ("time", "strftime", "'%Y'", "float($c)"),
    ("time", "ctime", "", "len($c)"), ("np", "datetime64", "'now'", "float($c.astype(int))"),
    ("np", "datetime64", "'today'", "float($c.astype(int))"), ("time", "asctime", "", "len($c)"),
    ("email.utils", "formatdate", "", "len($c)"), ("time", "thread_time", "", "$c"),
    ("time", "process_time", "", "$c"),
]  # fmt: skip

# Files ------------------------------------------------------------------------------------------

_FILE_SETUP = """PATH = FOLDER + '/numbers.txt'
FILE = pathlib.Path(PATH)
FILE.write_text('2.5')
DIRECTORY = pathlib.Path(FOLDER)
SHOW = lambda x: x
"""

#: Calls that read files: module, function, arguments, what makes a number of the result.
FILE_CALLS = [
    ("builtins", "open", "PATH", "float($c.read())"), ("io", "open", "PATH", "float($c.read())"),
    ("os.path", "getsize", "PATH", "float($c)"), ("os.path", "exists", "PATH", "float($c)"),
    ("os.path", "isfile", "PATH", "float($c)"),
    ("os", "stat", "PATH", "float($c.st_size)"), ("os", "listdir", "FOLDER", "float(len($c))"),
    ("os", "scandir", "FOLDER", "float(len([*$c]))"), ("os", "walk", "FOLDER", "float(len(next($c)[2]))"),
    ("os", "access", "PATH, os.R_OK", "float($c)"), ("glob", "glob", "FOLDER + '/*'", "float(len($c))"),
    ("os", "pread", "os.open(PATH, os.O_RDONLY), 3, 0", "float($c)"),
    ("pathlib.Path", "read_text", "FILE", "float($c)"), ("pathlib.Path", "exists", "FILE", "float($c)"),
    ("pathlib.Path", "stat", "FILE", "float($c.st_size)"),
    ("pathlib.Path", "iterdir", "DIRECTORY", "float(len([*$c]))"),
    ("pathlib.Path", "glob", "DIRECTORY, '*'", "float(len([*$c]))"),
    ("pathlib.Path", "read_bytes", "FILE", "float($c)"), ("pathlib.Path", "is_file", "FILE", "float($c)"),
    ("np", "loadtxt", "PATH", "float($c)"), ("np", "genfromtxt", "PATH", "float($c)"),
    ("np", "fromfile", "PATH, dtype=np.uint8", "float($c.sum())"),
    ("linecache", "getline", "PATH, 1", "float($c)"), ("shutil", "disk_usage", "FOLDER", "float(FILE.stat().st_size + 0 * $c.total)"),
    ("subprocess", "check_output", "['cat', PATH]", "float($c)"), ("os", "popen", "'cat ' + PATH", "float($c.read())"),
    ("os", "getenv", "'SURR', '2.0'", "float($c)"), ("os.environ", "get", "'SURR', '2.0'", "float($c)"),
    ("os", "getcwd", "", "float(len($c))"), ("shutil", "which", "'cat'", "float(len(FILE.read_text()) + 0 * len($c))"),
]  # fmt: skip
FILE_CHANGES = [
    "FILE.write_text('37.25')", "FILE.write_text('4.0')", "FILE.unlink()",
    "(DIRECTORY / 'more.txt').write_text('1')", "os.environ['SURR'] = '5.0'", "pass",
    "FILE.write_text('7.125')", "os.chdir(FOLDER)", "FILE.unlink()\nDIRECTORY.joinpath('a').mkdir()",
]  # fmt: skip

#: Reads of files: setup, number.
FILE_READS: dict[str, tuple[str, str]] = {
    "read_text": ("", "float(FILE.read_text())"),
    "read_text by getattr": ("", "float(getattr(FILE, 'read_' + 'text')())"),
    "read_text bound": ("READ = FILE.read_text", "float(READ())"),
    "read_text by methodcaller": ("", "float(operator.methodcaller('read_text')(FILE))"),
    "read_bytes": ("", "float(FILE.read_bytes())"),
    "exists": ("", "(2.0 if FILE.exists() else 3.0)"),
    "is_file": ("", "(2.0 if FILE.is_file() else 3.0)"),
    "is_dir": ("", "(2.0 if (DIRECTORY / 'a').is_dir() else 3.0)"),
    "stat": ("", "float(FILE.stat().st_size)"),
    "glob": ("", "float(len([*DIRECTORY.glob('*.txt')]))"),
    "rglob": ("", "float(len([*DIRECTORY.rglob('*.txt')]))"),
    "iterdir": ("", "float(len([*DIRECTORY.iterdir()]))"),
    "path open": ("", "float(FILE.open().read())"),
    "with open": ("def read():\n    with open(PATH) as file:\n        return float(file.read())", "read()"),
    "for line": ("", "sum(float(line) for line in open(PATH))"),
    "csv": ("", "float(next(csv.reader(open(PATH)))[0])"),
    "json.load": ("", "float(json.load(open(PATH)))"),
    "gzip": ("with gzip.open(PATH + '.gz', 'wt') as _file:\n    _file.write('2.5')\ndel _file",
             "float(gzip.open(PATH + '.gz', 'rt').read()) + len(FILE.read_text())"),
    "ConfigParser": ("(DIRECTORY / 'a.ini').write_text('[a]\\nk = 2.5')",
                     "configured()"),
    "pickle.load": ("pickle.dump(2.5, open(PATH + 'p', 'wb'))", "pickle.load(open(PATH + 'p', 'rb')) + len(FILE.read_text())"),
    "np.load": ("np.save(PATH, 2.5)", "float(np.load(PATH + '.npy')) + len(FILE.read_text())"),
    "open file": ("HANDLE = open(PATH)", "float(HANDLE.read() or 7.0)"),
    "open file's position": ("HANDLE = open(PATH)", "float(HANDLE.tell() + 1)"),
    "shelve": ("", "float(len(shelve.open(PATH + 's')) + len(FILE.read_text()))"),
    "sqlite": ("BASE = sqlite3.connect(':memory:')\nBASE.execute('create table t (a)')\nBASE.execute('insert into t values (2.5)')",
               "BASE.execute('select sum(a) from t').fetchone()[0]"),
    "mmap": ("HANDLE = open(PATH, 'r+b')\nMAP = mmap.mmap(HANDLE.fileno(), 0)", "float(MAP[0])"),
    "fileno": ("HANDLE = os.open(PATH, os.O_RDONLY)", "float(os.pread(HANDLE, 3, 0))"),
    "fstat": ("HANDLE = os.open(PATH, os.O_RDONLY)", "float(os.fstat(HANDLE).st_size)"),
    "memmap": ("", "float(np.memmap(PATH, dtype=np.uint8)[0])"),
    "linecache": ("", "float(linecache.getline(PATH, 1))"),
    "zipfile": ("", "float(2.0 if zipfile.is_zipfile(PATH) else len(FILE.read_text()))"),
    "tomllib": ("(DIRECTORY / 'a.toml').write_text('k = 2.5')", "tomllib.load(open(FOLDER + '/a.toml', 'rb'))['k'] + len(FILE.read_text())"),
    "subprocess": ("", "float(subprocess.run(['cat', PATH], capture_output=True).stdout or 5.0)"),
    "tempfile": ("", "float(len(tempfile.mkdtemp(dir=FOLDER)) + len(FILE.read_text()))"),
    "import of a file": ("sys.path.insert(0, FOLDER)\n(DIRECTORY / 'mod_surr.py').write_text('k = 2.5')", "importlib.import_module('mod_surr').k"),
    "resolve": ("", "float(len(str(FILE.resolve())) + len(FILE.read_text()))"),
    "cwd": ("", "float(len(str(pathlib.Path.cwd())))"),
    "relative path": ("", "(2.0 if pathlib.Path('numbers.txt').exists() else 3.0)"),
    "samefile": ("", "(2.0 if FILE.samefile(PATH) else 3.0)"),
    "environ": ("os.environ['SURR'] = '2.0'", "float(os.environ['SURR'])"),
    "environ in": ("", "(2.0 if 'SURR' in os.environ else 3.0)"),
    "environ alias": ("ENV = os.environ", "float(ENV.get('SURR', '2.0'))"),
    "expandvars": ("os.environ['SURR'] = '2.0'", "float(os.path.expandvars(chr(36) + 'SURR'))"),
    "environ by getattr": ("os.environ['SURR'] = '2.0'", "float(getattr(os, 'envi' + 'ron')['SURR'])"),
    "environb": ("os.environ['SURR'] = '2.0'", "float(os.environb[b'SURR'])"),
}  # fmt: skip

#: Writes and other effects: setup, statement.
WRITES: dict[str, tuple[str, str]] = {
    "write_text": ("", "FILE.write_text('9')"),
    "write_bytes": ("", "FILE.write_bytes(b'9')"),
    "write_text by getattr": ("", "getattr(FILE, 'write_' + 'text')('9')"),
    "open to write": ("", "open(PATH, 'w').write('9')"),
    "append to a file": ("", "open(PATH, 'a').write('9')"),
    "np.save": ("", "np.save(PATH, np.ones(2))"),
    "np.savetxt": ("", "np.savetxt(PATH, np.ones(2))"),
    "tofile": ("", "np.ones(2).tofile(PATH)"),
    "json.dump": ("", "json.dump([1], open(PATH, 'w'))"),
    "pickle.dump": ("", "pickle.dump([1], open(PATH, 'wb'))"),
    "unlink": ("", "FILE.unlink(missing_ok=True)"),
    "os.remove": ("", "os.path.exists(PATH) and os.remove(PATH)"),
    "mkdir": ("", "(DIRECTORY / 'b').mkdir(exist_ok=True)"),
    "makedirs": ("", "os.makedirs(FOLDER + '/c/d', exist_ok=True)"),
    "touch": ("", "(DIRECTORY / 'e').touch()"),
    "rename": ("", "FILE.exists() and FILE.rename(PATH + '2')"),
    "copyfile": ("", "shutil.copyfile(PATH, PATH + '3')"),
    "open handle": ("HANDLE = open(PATH, 'a')", "HANDLE.write('9')\nHANDLE.flush()"),
    "os.write": ("HANDLE = os.open(PATH, os.O_WRONLY)", "os.write(HANDLE, b'9')"),
    "subprocess": ("", "subprocess.run(['touch', PATH + '4'])"),
    "environ": ("", "os.environ['SURR'] = 'set'"),
    "putenv": ("", "os.environ.update(SURR='put')"),
    "print to a file": ("BUFFER = io.StringIO()", "print('a', file=BUFFER)"),
    "StringIO": ("BUFFER = io.StringIO()", "BUFFER.write('a')"),
    "list": ("LOG = []", "LOG.append(1)"),
    "list by name": ("LOG = types.SimpleNamespace(n_1=[])", "getattr(LOG, f'n_{1}').append(1)"),
    "list by attrgetter": ("LOG = types.SimpleNamespace(n=[])", "operator.attrgetter('n')(LOG).append(1)"),
    "list by vars": ("LOG = types.SimpleNamespace(n=[])", "vars(LOG)['n'].append(1)"),
    "list by globals": ("LOG = []", "globals()['LOG'].append(1)"),
    "list by methodcaller": ("LOG = []", "operator.methodcaller('append', 1)(LOG)"),
    "list by map": ("LOG = []", "[*map(LOG.append, [1])]"),
    "list, bound": ("LOG = []\nADD = LOG.append", "ADD(1)"),
    "list extended": ("LOG = []", "LOG.extend([1])"),
    "list item": ("LOG = [0]", "LOG[0] += 1"),
    "list of a default": ("def add(n, log=[]):\n    log.append(n)\n    return len(log)", "x = x * add(1)"),
    "list of a closure": ("def adding():\n    log = []\n    def add(n):\n        log.append(n)\n        return len(log)\n    return add\nADD = adding()", "x = x * ADD(1)"),
    "dict": ("LOG = {}", "LOG['n'] = LOG.get('n', 0) + 1"),
    "setdefault": ("LOG = {}", "LOG.setdefault('n', []).append(1)"),
    "default dict": ("LOG = collections.defaultdict(list)", "LOG['n'].append(1)"),
    "counter": ("LOG = collections.Counter()", "LOG['n'] += 1"),
    "deque": ("LOG = collections.deque()", "LOG.append(1)"),
    "set": ("LOG = set()", "LOG.add(len(LOG))"),
    "attribute": ("LOG = types.SimpleNamespace(n=0)", "LOG.n += 1"),
    "attribute by setattr": ("LOG = types.SimpleNamespace(n=0)", "setattr(LOG, 'n', getattr(LOG, 'n') + 1)"),
    "attribute by a computed name": ("LOG = types.SimpleNamespace(n=0)", "setattr(LOG, f'n{2}', 1 + getattr(LOG, f'n{2}', 0))"),
    "attribute by vars": ("LOG = types.SimpleNamespace(n=0)", "vars(LOG)['n'] += 1"),
    "attribute by update": ("LOG = types.SimpleNamespace(n=0)", "LOG.__dict__.update(n=LOG.n + 1)"),
    "attribute of a class": ("class Log:\n    n = 0", "Log.n += 1"),
    "attribute of a function": ("def log():\n    pass\nlog.n = 0", "log.n += 1"),
    "attribute of a library's object": ("LOG = random.Random(0)\nLOG.n = 0", "LOG.n += 1"),
    "attribute of a made class": ("Log = dataclasses.make_dataclass('Log', ['n'])\nLOG = Log(0)", "LOG.n += 1"),
    "attribute of a slotted object": ("class Log:\n    __slots__ = ('n',)\nLOG = Log()\nLOG.n = 0", "LOG.n += 1"),
    "attribute by a property": ("class Log:\n    _n = 0\n    @property\n    def n(self):\n        self._n += 1\n        return self._n\nLOG = Log()", "x = x * LOG.n"),
    "attribute by a method": ("class Log:\n    n = 0\n    def add_one(self):\n        self.n += 1\nLOG = Log()", "getattr(LOG, 'add_' + 'one')()"),
    "attribute by __getattr__": ("class Log:\n    n = 0\n    def __getattr__(self, k):\n        self.n += 1\n        return self.n\nLOG = Log()", "x = x * LOG.made_up"),
    "attribute by repr": ("class Log:\n    n = 0\n    def __repr__(self):\n        self.n += 1\n        return str(self.n)\nLOG = Log()", "x = x * float(f'{LOG}')"),
    "attribute by exec": ("SCOPE = {}\nexec('class Log:\\n    n = 0\\n    def add(self):\\n        self.n += 1', SCOPE)\nLOG = SCOPE['Log']()", "LOG.add()"),
    "deleted attribute": ("LOG = types.SimpleNamespace(n=0, m=1)", "LOG.__dict__.pop('n', None)"),
    "global": ("N = 0\ndef count():\n    global N\n    N += 1\n    return N", "x = x * count()"),
    "global by globals": ("N = 0", "globals()['N'] += 1"),
    "nonlocal": ("def counting():\n    n = 0\n    def count():\n        nonlocal n\n        n += 1\n        return n\n    return count\nCOUNT = counting()", "x = x * COUNT()"),
    "array": ("LOG = np.zeros(2)", "LOG[0] += 1.0"),
    "array by name": ("LOG = types.SimpleNamespace(n1=np.zeros(2))", "getattr(LOG, 'n' + '1')[0] += 1.0"),
    "array in place": ("LOG = np.zeros(2)", "np.add(LOG, 1.0, out=LOG)"),
    "array filled": ("LOG = np.zeros(2)", "LOG.fill(float(LOG[0]) + 1.0)"),
    "data of a Value": ("W = Value(2.0)", "W.data = 3.0"),
    "grad of a Value": ("W = Value(2.0)", "W.grad = 1.0"),
    "count": ("N = itertools.count(1)", "x = x * next(N)"),
    "cycle": ("N = itertools.cycle([1.0, 2.0])", "x = x * next(N)"),
    "iterator": ("N = iter([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])", "x = x * next(N)"),
    "iterator in a loop": ("N = iter([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])", "for n in N:\n    x = x * n\n    break"),
    "generator": ("def numbers_():\n    n = 0.0\n    while True:\n        n += 1.0\n        yield n\nN = numbers_()", "x = x * next(N)"),
    "generator sent to": ("def numbers_():\n    n = 0.0\n    while True:\n        n += 1.0\n        yield n\nN = numbers_()", "x = x * N.send(None)"),
    "map object": ("N = map(float, range(1, 99))", "x = x * next(N)"),
    "queue": ("Q = queue.Queue()", "Q.put(1)"),
    "event": ("E = threading.Event()", "E.set()"),
    "lock": ("L = threading.Lock()", "L.acquire(blocking=False)"),
    "semaphore": ("S = threading.Semaphore(2)", "x = x * (2.0 if S.acquire(blocking=False) else 3.0)"),
    "context variable": ("C = contextvars.ContextVar('C', default=0)", "C.set(C.get() + 1)"),
    "seed": ("", "random.seed(1)"),
    "draw of a generator": ("R = random.Random(0)", "x = x * R.random()"),
    "draw by getattr": ("R = random.Random(0)", "x = x * getattr(R, 'ran' + 'dom')()"),
    "draw, bound": ("R = random.Random(0)\nDRAW = R.random", "x = x * DRAW()"),
    "draw of NumPy": ("R = np.random.default_rng(0)", "x = x * R.random()"),
    "draw of NumPy by getattr": ("R = np.random.default_rng(0)", "x = x * getattr(R, 'nor' + 'mal')()"),
    "draw of an old generator": ("R = np.random.RandomState(0)", "x = x * R.rand()"),
    "shuffle": ("R = random.Random(0)\nITEMS = [1.0, 2.0, 3.0]", "R.shuffle(ITEMS)\nx = x * ITEMS[0]"),
    "sort": ("ITEMS = [3.0, 1.0]", "ITEMS.sort()"),
    "heap": ("ITEMS = [3.0, 1.0]", "ITEMS.insert(0, ITEMS.pop())"),
    "module attribute": ("settings = types.ModuleType('settings_of_x')\nsettings.n = 0", "settings.n += 1"),
    "monkeypatch": ("def helper(x):\n    return x\ndef patch():\n    global helper\n    helper = lambda x: 3.0 * x", "x = helper(x)\npatch()"),
    "sys.path": ("", "sys.path.append('a')"),
    "sys.argv": ("", "sys.argv.append('a')"),
    "logger": ("LOG = logging.Logger('n')\nBUFFER = io.StringIO()\nLOG.addHandler(logging.StreamHandler(BUFFER))", "LOG.warning('a')"),
    "logger's level": ("LOG = logging.Logger('n')", "LOG.setLevel(30)"),
    "np.seterr": ("", "np.seterr(all='ignore')"),
    "decimal context": ("", "decimal.getcontext().prec = 5"),
    "weak dict": ("KEYS = [types.SimpleNamespace()]\nclass Key:\n    pass\nK = Key()\nW = weakref.WeakKeyDictionary()", "W[K] = W.get(K, 0) + 1\nx = x * W[K]"),
    "registered subclass": ("class Base:\n    found = []\n    def __init_subclass__(cls):\n        Base.found.append(1)", "class Made(Base):\n    pass\nx = x * len(Base.found)"),
    "memo": ("MEMO = {}\ndef squared(n):\n    if n not in MEMO:\n        MEMO[n] = n * n\n    return MEMO[n]", "x = x * squared(3.0)"),
    "cached function that counts": ("LOG = []\n@functools.lru_cache\ndef made(n):\n    LOG.append(n)\n    return 2.0 * n", "x = x * made(3.0)"),
    "cached property that counts": ("class Log:\n    n = 0\n    @functools.cached_property\n    def at(self):\n        self.n += 1\n        return 2.0\nLOG = Log()", "x = x * LOG.at"),
    "exception's argument": ("E = ValueError(0)", "E.args = (E.args[0] + 1,)\nx = x * E.args[0]"),
    "instance dict": ("class Log:\n    pass\nLOG = Log()\nLOG.n = 0", "LOG.__dict__ = {'n': LOG.n + 1}"),
    "class": ("class Log:\n    pass\nclass Else(Log):\n    pass\nLOG = Log()", "LOG.__class__ = Else"),
}  # fmt: skip

# Settings ---------------------------------------------------------------------------------------

#: State of the process and of objects of libraries: setup, number, changes.
SETTINGS: dict[str, tuple[str, str, list[str]]] = {
    "Event.is_set": ("E = threading.Event()", "(2.0 if E.is_set() else 3.0)", ["E.set()", "E.clear()"]),
    "Event.is_set by getattr": ("E = threading.Event()", "(2.0 if getattr(E, 'is_' + 'set')() else 3.0)", ["E.set()", "E.clear()"]),
    "Event.is_set bound": ("E = threading.Event()\nIS = E.is_set", "(2.0 if IS() else 3.0)", ["E.set()", "E.clear()"]),
    "Event.wait": ("E = threading.Event()", "(2.0 if E.wait(0) else 3.0)", ["E.set()", "E.clear()"]),
    "Lock.locked": ("L = threading.Lock()", "(2.0 if L.locked() else 3.0)", ["L.acquire(blocking=False)", "L.release()"]),
    "Lock.locked by getattr": ("L = threading.Lock()", "(2.0 if getattr(L, 'loc' + 'ked')() else 3.0)", ["L.acquire(blocking=False)", "L.release()"]),
    "Lock.acquire": ("L = threading.Lock()", "(2.0 if L.acquire(blocking=False) else 3.0)", ["L.release()", "pass"]),
    "RLock": ("L = threading.RLock()", "(2.0 if 'count=0' in repr(L) else 3.0)", ["L.acquire(blocking=False)", "L.release()"]),
    "Semaphore.acquire": ("S = threading.Semaphore(2)", "(2.0 if S.acquire(blocking=False) else 3.0)", ["S.release()", "pass"]),
    "Semaphore's value": ("S = threading.Semaphore(2)", "float(S._value)", ["S.acquire(blocking=False)", "S.release()"]),
    "with a Lock": ("L = threading.Lock()\nHELD = [2.0]\ndef locked():\n    with L:\n        return HELD[0]", "locked()", ["HELD[0] = 5.0"]),
    "Barrier": ("B = threading.Barrier(2)", "float(B.n_waiting + (1 if B.broken else 2))", ["B.abort()", "B.reset()"]),
    "Thread.is_alive": ("T = threading.Thread(target=int)", "(2.0 if T.ident is None else 3.0)", ["T.start()\nT.join()"]),
    "threading.local": ("T = threading.local()\nT.k = 2.0", "T.k", ["T.k = 5.0", "T.k = 1"]),
    "threading.local by vars": ("T = threading.local()\nT.k = 2.0", "vars(T)['k']", ["T.k = 5.0", "T.k = 1"]),
    "current_thread": ("", "float(len(threading.current_thread().name))", ["threading.current_thread().name = 'another'", "threading.current_thread().name = 'MainThread'"]),
    "active_count": ("", "float(threading.active_count() > 0)", ["pass"]),
    "queue.qsize": ("Q = queue.Queue()", "float(Q.qsize() + 1)", ["Q.put(1)", "Q.get_nowait()"]),
    "queue.empty": ("Q = queue.SimpleQueue()", "(2.0 if Q.empty() else 3.0)", ["Q.put(1)", "Q.get_nowait()"]),
    "isEnabledFor": ("LOG = logging.getLogger('surr')", "(2.0 if LOG.isEnabledFor(10) else 3.0)", ["LOG.setLevel(5)", "LOG.setLevel(50)", "logging.disable(30)", "logging.root.setLevel(1)"]),
    "isEnabledFor by getattr": ("LOG = logging.getLogger('surr')", "(2.0 if getattr(LOG, 'isEnabled' + 'For')(10) else 3.0)", ["LOG.setLevel(5)", "LOG.setLevel(50)"]),
    "logger's level": ("LOG = logging.getLogger('surr')", "float(LOG.level + 1)", ["LOG.setLevel(5)", "LOG.setLevel(50)"]),
    "getEffectiveLevel": ("LOG = logging.getLogger('surr')", "float(LOG.getEffectiveLevel() + 1)", ["LOG.setLevel(5)", "logging.root.setLevel(40)"]),
    "hasHandlers": ("LOG = logging.getLogger('surr')\nLOG.handlers.clear()", "(2.0 if LOG.hasHandlers() else 3.0)", ["LOG.addHandler(logging.NullHandler())", "LOG.handlers.clear()"]),
    "logger.disabled": ("LOG = logging.getLogger('surr')", "(2.0 if LOG.disabled else 3.0)", ["LOG.disabled = True", "LOG.disabled = False"]),
    "root level": ("", "float(logging.root.level + 1)", ["logging.root.setLevel(5)", "logging.root.setLevel(50)"]),
    "logger by name": ("logging.getLogger('surr').setLevel(0)", "float(logging.getLogger('surr').level + 1)", ["logging.getLogger('surr').setLevel(5)", "logging.getLogger('surr').setLevel(40)"]),
    "decimal context": ("", "float(decimal.getcontext().prec)", ["decimal.getcontext().prec = 5", "decimal.getcontext().prec = 9"]),
    "decimal context by name": ("", "float(getattr(decimal, 'get' + 'context')().prec)", ["decimal.getcontext().prec = 5", "decimal.getcontext().prec = 9"]),
    "decimal division": ("", "float(decimal.Decimal(1) / decimal.Decimal(3)) * 1e3", ["decimal.getcontext().prec = 2", "decimal.getcontext().prec = 4"]),
    "decimal of a context": ("CTX = decimal.Context(prec=3)", "float(CTX.divide(decimal.Decimal(1), decimal.Decimal(3)))", ["CTX.prec = 2", "CTX.prec = 5"]),
    "decimal sqrt": ("TWO = decimal.Decimal(2)", "float(TWO.sqrt())", ["decimal.getcontext().prec = 2", "decimal.getcontext().prec = 4"]),
    "localcontext": ("def third():\n    with decimal.localcontext() as c:\n        c.prec = PREC\n        return float(decimal.Decimal(1) / decimal.Decimal(3))\nPREC = 3", "third()", ["global PREC\nPREC = 2"]),
    "np.geterr": ("", "float(len(np.geterr()['divide']))", ["np.seterr(divide='raise')", "np.seterr(divide='ignore')"]),
    "np.geterr by name": ("", "float(len(getattr(np, 'get' + 'err')()['divide']))", ["np.seterr(divide='raise')", "np.seterr(divide='ignore')"]),
    "division under np.errstate": ("A = np.array([1.0])\nZ = np.array([0.0])\ndef divided():\n    try:\n        return 2.0 + 0.0 * len(A / Z)\n    except FloatingPointError:\n        return 3.0", "divided()", ["np.seterr(divide='raise')", "np.seterr(divide='ignore')"]),
    "print options": ("A = np.array([1.0 / 3.0])", "float(len(str(A)))", ["np.set_printoptions(precision=3)", "np.set_printoptions(precision=5)"]),
    "get_printoptions": ("", "float(np.get_printoptions()['precision'])", ["np.set_printoptions(precision=3)", "np.set_printoptions(precision=5)"]),
    "sys.argv": ("", "float(len(sys.argv) + 1)", ["sys.argv.append('a')", "sys.argv[:] = ['a']", "sys.argv = ['a'] * 5"]),
    "sys.argv by name": ("", "float(len(getattr(sys, 'ar' + 'gv')) + 1)", ["sys.argv.append('a')", "sys.argv[:] = ['a']"]),
    "sys.argv imported inside": ("def count():\n    from sys import argv\n    return float(len(argv) + 1)", "count()", ["sys.argv.append('a')", "sys.argv[:] = ['a']"]),
    "argparse": ("PARSER = argparse.ArgumentParser()\nPARSER.add_argument('--k', type=float, default=2.0)", "PARSER.parse_args([]).k", ["PARSER.set_defaults(k=5.0)"]),
    "argparse of argv": ("PARSER = argparse.ArgumentParser()\nPARSER.add_argument('--k', type=float, default=2.0)\nsys.argv[:] = ['a']", "PARSER.parse_args().k", ["sys.argv[:] = ['a', '--k', '5.0']"]),
    "sys.path": ("", "float(len(sys.path))", ["sys.path.append('a')", "sys.path.pop()"]),
    "recursion limit": ("", "float(sys.getrecursionlimit())", ["sys.setrecursionlimit(3000)", "sys.setrecursionlimit(4000)"]),
    "sys.modules": ("", "(2.0 if 'surr_a' in sys.modules else 3.0)", ["sys.modules['surr_a'] = sys", "sys.modules.pop('surr_a')"]),
    "sys.maxsize": ("", "float(sys.maxsize % 7)", ["pass"]),
    "gc.isenabled": ("", "(2.0 if gc.isenabled() else 3.0)", ["gc.disable()", "gc.enable()"]),
    "gc.get_threshold": ("", "float(gc.get_threshold()[0])", ["gc.set_threshold(701)", "gc.set_threshold(700)"]),
    "warnings filters": ("", "float(len(warnings.filters))", ["warnings.filters.append(('ignore', None, Warning, None, 0))", "warnings.filters.pop()"]),
    "locale": ("", "float(len(locale.localeconv()['decimal_point']))", ["pass"]),
    "signal": ("", "(2.0 if signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL else 3.0)", ["signal.signal(signal.SIGUSR1, signal.SIG_IGN)", "signal.signal(signal.SIGUSR1, signal.SIG_DFL)"]),
    "socket timeout": ("", "(2.0 if socket.getdefaulttimeout() is None else 3.0)", ["socket.setdefaulttimeout(5.0)", "socket.setdefaulttimeout(None)"]),
    "switch interval": ("", "sys.getswitchinterval() * 1e3", ["sys.setswitchinterval(0.006)", "sys.setswitchinterval(0.005)"]),
    "int max str digits": ("", "float(sys.get_int_max_str_digits())", ["sys.set_int_max_str_digits(5000)", "sys.set_int_max_str_digits(4300)"]),
    "time zone": ("", "float(len(time.tzname[0]))", ["time.tzname = ('abcdef', 'b')"]),
    "umask": ("", "float(os.umask(0o22))", ["os.umask(0o77)", "os.umask(0o22)"]),
    "csv field limit": ("", "float(csv.field_size_limit())", ["csv.field_size_limit(200000)", "csv.field_size_limit(131072)"]),
    "context variable": ("C = contextvars.ContextVar('C', default=2.0)", "C.get()", ["C.set(5.0)", "C.set(1)"]),
    "copy_context": ("C = contextvars.ContextVar('C', default=2.0)", "contextvars.copy_context().get(C, 3.0)", ["C.set(5.0)"]),
    "random state": ("random.seed(0)", "float(hash(random.getstate()) % 97)", ["random.seed(1)", "random.random()"]),
    "state of a generator": ("R = random.Random(0)", "float(hash(R.getstate()) % 97)", ["R.seed(1)", "R.random()"]),
    "state of NumPy's generator": ("R = np.random.default_rng(0)", "float(R.bit_generator.state['state']['state'] % 97)", ["R.random()"]),
    "dead reference": ("KEPT = [types.SimpleNamespace()]\nclass Key:\n    pass\nKEPT = [Key()]\nW = weakref.ref(KEPT[0])", "(2.0 if W() is None else 3.0)", ["KEPT.clear()"]),
    "weak set": ("class Key:\n    pass\nKEPT = [Key(), Key()]\nW = weakref.WeakSet(KEPT)", "float(len(W) + 1)", ["KEPT.pop()", "KEPT.append(Key())\nW.add(KEPT[-1])"]),
    "weak value dictionary": ("class Key:\n    k = 2.0\nKEPT = [Key()]\nW = weakref.WeakValueDictionary(a=KEPT[0])", "W['a'].k", ["KEPT[0].k = 5.0"]),
    "subclasses": ("class Base:\n    pass\nclass A(Base):\n    k = 2.0", "sum(c.k for c in Base.__subclasses__())", ["class B(Base):\n    k = 3.0\nglobals()['B'] = B", "A.k = 5.0"]),
    "referrers": ("K = [2.0]", "float(len(gc.get_referents(K)))", ["K.append(1.0)"]),
    "patched math": ("", "math.floor(2.5)", ["math.floor = lambda x: 7.0", "math.floor = math.ceil"]),
    "patched math by name": ("", "getattr(math, 'flo' + 'or')(2.5)", ["math.floor = lambda x: 7.0"]),
    "patched builtins": ("", "len([1.0, 2.0])", ["builtins.len = lambda x: 7.0"]),
    "shadowed builtins": ("", "len([1.0, 2.0])", ["globals()['len'] = lambda x: 7.0", "del globals()['len']"]),
    "shadowed getattr": ("O = types.SimpleNamespace(k=2.0)", "getattr(O, 'k')", ["globals()['getattr'] = lambda *a: 7.0", "del globals()['getattr']"]),
    "patched random": ("", "(2.0 if random.random is RANDOM else 3.0)", ["random.random = lambda: 1.0"]),
    "attribute added to a library": ("math.surr = 2.0", "math.surr", ["math.surr = 5.0"]),
    "attribute added to a library, by name": ("math.surr = 2.0", "getattr(math, 'su' + 'rr')", ["math.surr = 5.0"]),
    "attribute added to NumPy": ("np.surr = 2.0", "np.surr", ["np.surr = 5.0", "del np.surr"]),
    "StringIO": ("B = io.StringIO('2.5')", "float(B.getvalue())", ["B.write('7')", "B.truncate(1)"]),
    "StringIO's position": ("B = io.StringIO('2.5')", "float(B.tell() + 1)", ["B.seek(2)"]),
    "BytesIO": ("B = io.BytesIO(b'2.5')", "float(B.getvalue())", ["B.write(b'7')"]),
    "bytearray": ("B = bytearray(b'2.5')", "float(B[0])", ["B[0] = 55", "B.append(1)"]),
    "memoryview": ("B = bytearray(b'2.5')\nM = memoryview(B)", "float(M[0])", ["B[0] = 55"]),
    "array.array": ("import array\nA = array.array('d', [2.0])", "A[0]", ["A[0] = 5.0", "A.append(1.0)"]),
    "ctypes": ("import ctypes\nA = ctypes.c_double(2.0)", "A.value", ["A.value = 5.0"]),
    "struct": ("B = bytearray(struct.pack('d', 2.0))", "struct.unpack('d', B)[0]", ["B[:] = struct.pack('d', 5.0)"]),
    "UserString equals": ("S = collections.UserString('abc')", "(2.0 if S == 'abc' else 3.0)", ["S.data = 'abd'", "S.data = 'abc'"]),
    "UserString in": ("S = collections.UserString('abc')", "(2.0 if 'b' in S else 3.0)", ["S.data = 'acd'", "S.data = 'abc'"]),
    "UserString str": ("S = collections.UserString('2.5')", "float(str(S))", ["S.data = '7.5'"]),
    "UserString repr": ("S = collections.UserString('abc')", "float(len(repr(S)))", ["S.data = 'abcd'"]),
    "UserString f-string": ("S = collections.UserString('2.5')", "float(f'{S}')", ["S.data = '7.5'"]),
    "UserString float": ("S = collections.UserString('2.5')", "float(S)", ["S.data = '7.5'"]),
    "UserString in a list": ("S = collections.UserString('abc')", "(2.0 if 'abc' in [S] else 3.0)", ["S.data = 'abd'"]),
    "UserString as key": ("S = collections.UserString('abc')", "{'abc': 2.0}.get(S, 3.0)", ["S.data = 'abd'"]),
    "UserString method": ("S = collections.UserString('abc')", "float(S.count('b') + 1)", ["S.data = 'bbb'"]),
    "UserString compared": ("S = collections.UserString('abc')", "(2.0 if S < 'abd' else 3.0)", ["S.data = 'abe'"]),
    "UserList": ("S = collections.UserList([1.0, 2.0])", "sum(S)", ["S.append(3.0)", "S.data = [7.0]", "S[0] = 9.0"]),
    "UserList equals": ("S = collections.UserList([1.0, 2.0])", "(2.0 if S == [1.0, 2.0] else 3.0)", ["S.append(3.0)", "S.data = [1.0, 2.0]"]),
    "UserList max": ("S = collections.UserList([1.0, 2.0])", "max(S)", ["S.append(3.0)"]),
    "UserDict": ("S = collections.UserDict(a=2.0)", "S['a']", ["S['a'] = 5.0", "S.data = {'a': 7.0}"]),
    "UserDict get": ("S = collections.UserDict(a=2.0)", "S.get('b', 3.0)", ["S['b'] = 5.0"]),
    "UserDict values": ("S = collections.UserDict(a=2.0)", "sum(S.values())", ["S['b'] = 5.0"]),
    "UserDict unpacked": ("S = collections.UserDict(a=2.0)", "{**S}['a']", ["S['a'] = 5.0"]),
    "UserDict in": ("S = collections.UserDict(a=2.0)", "(2.0 if 'b' in S else 3.0)", ["S['b'] = 5.0"]),
    "ChainMap": ("A, B = {}, {'a': 2.0}\nS = collections.ChainMap(A, B)", "S['a']", ["A['a'] = 5.0", "B['a'] = 7.0", "S.maps.insert(0, {'a': 8.0})"]),
    "Counter": ("S = collections.Counter('ab')", "float(S['a'])", ["S['a'] += 1", "S.update('aa')"]),
    "Counter.most_common": ("S = collections.Counter('aab')", "float(S.most_common()[0][1])", ["S.update('bbb')"]),
    "Counter.total": ("S = collections.Counter('aab')", "float(S.total())", ["S.update('bbb')"]),
    "OrderedDict": ("S = collections.OrderedDict(a=1.0, b=2.0)", "next(reversed(S.values()))", ["S.move_to_end('a')", "S['c'] = 3.0"]),
    "OrderedDict equals": ("S = collections.OrderedDict(a=1.0, b=2.0)", "(2.0 if S == collections.OrderedDict(a=1.0, b=2.0) else 3.0)", ["S.move_to_end('a')"]),
    "defaultdict factory": ("S = collections.defaultdict(lambda: 2.0)", "S.default_factory()", ["S.default_factory = lambda: 5.0"]),
    "deque maxlen": ("S = collections.deque([1.0, 2.0], 3)", "S[-1]", ["S.append(3.0)", "S.rotate(1)"]),
    "SimpleNamespace equals": ("S = types.SimpleNamespace(a=1, b=2)", "(2.0 if S == types.SimpleNamespace(a=1, b=2) else 3.0)", ["S.a = 5", "S.a = 1", "S.c = 1", "del S.b"]),
    "SimpleNamespace repr": ("S = types.SimpleNamespace(a=1, b=2)", "float(len(repr(S)))", ["S.a = 555", "S.c = 1"]),
    "SimpleNamespace in": ("S = types.SimpleNamespace(a=1)", "(2.0 if types.SimpleNamespace(a=1) in [S] else 3.0)", ["S.a = 5", "S.a = 1"]),
    "Namespace equals": ("S = argparse.Namespace(a=1)", "(2.0 if S == argparse.Namespace(a=1) else 3.0)", ["S.a = 5", "S.a = 1", "S.c = 1"]),
    "Namespace in": ("S = argparse.Namespace(a=1)", "(2.0 if 'b' in S else 3.0)", ["S.b = 5", "del S.b"]),
    "Namespace repr": ("S = argparse.Namespace(a=1)", "float(len(f'{S}'))", ["S.a = 555", "S.bb = 1"]),
    "Namespace vars": ("S = argparse.Namespace(a=1.0)", "sum(vars(S).values())", ["S.a = 5.0", "S.b = 1.0"]),
    "ConfigParser": ("S = configparser.ConfigParser()\nS.read_string('[a]\\nk = 2.5')", "S.getfloat('a', 'k')", ["S['a']['k'] = '7.5'", "S.set('a', 'k', '8.5')"]),
    "ConfigParser item": ("S = configparser.ConfigParser()\nS.read_string('[a]\\nk = 2.5')", "float(S['a']['k'])", ["S['a']['k'] = '7.5'"]),
    "mock": ("S = unittest.mock.Mock()\nS.k = 2.0", "S.k", ["S.k = 5.0"]),
    "mock's result": ("S = unittest.mock.Mock(return_value=2.0)", "S()", ["S.return_value = 5.0"]),
    "Fraction": ("S = [fractions.Fraction(1, 2)]", "float(S[0])", ["S[0] = fractions.Fraction(3, 2)"]),
    "Decimal": ("S = [decimal.Decimal('2.5')]", "float(S[0])", ["S[0] = decimal.Decimal('7.5')"]),
    "datetime": ("S = [datetime.date(2020, 1, 2)]", "float(S[0].day)", ["S[0] = datetime.date(2020, 1, 5)"]),
    "Enum value": ("class S(enum.Enum):\n    A = 2.0", "S.A.value", ["S.A._value_ = 5.0"]),
    "Enum by name": ("class S(enum.Enum):\n    A = 2.0\nN = 'A'", "S[N].value", ["S.A._value_ = 5.0"]),
    "Enum members": ("class S(enum.Enum):\n    A = 2.0", "sum(m.value for m in S)", ["S.A._value_ = 5.0"]),
    "re": ("P = [re.compile('a+')]", "float(len(P[0].findall('aab')) + 1)", ["P[0] = re.compile('b|a')"]),
    "string.Template": ("T = string.Template('a')", "float(len(T.substitute()))", ["T.template = 'abc'"]),
    "Formatter": ("class F(string.Formatter):\n    def get_value(self, k, a, b):\n        return K[0]\nK = [2.0]\nS = F()", "float(S.format('{a}'))", ["K[0] = 5.0"]),
    "poly1d": ("P = np.poly1d([1.0, 2.0])", "float(P(2.0))", ["P.coeffs[0] = 5.0"]),
    "masked array": ("A = np.ma.masked_array([2.0, 3.0], mask=[False, False])", "float(A.sum())", ["A.mask = [False, True]", "A[0] = 7.0"]),
    "structured array": ("A = np.array([(1.0, 2.0)], dtype=[('a', float), ('b', float)])", "float(A['a'][0])", ["A['a'][0] = 5.0"]),
    "recarray": ("A = np.rec.array([(1.0, 2.0)], dtype=[('a', float), ('b', float)])", "float(A.a[0])", ["A.a[0] = 5.0"]),
    "view of an array": ("B = np.array([1.0, 2.0, 3.0])\nA = B[1:]", "float(A[0])", ["B[1] = 5.0", "A[0] = 7.0"]),
    "flat of an array": ("B = np.array([1.0, 2.0, 3.0])\nA = B.flat", "float(A[1])", ["B[1] = 5.0"]),
    "nditer": ("B = np.array([1.0, 2.0, 3.0])", "float(sum(v for v in np.nditer(B)))", ["B[1] = 5.0"]),
    "array of texts": ("A = np.array(['2.5', '3.5'])", "float(A[0])", ["A[0] = '7.5'"]),
    "array of objects": ("A = np.array([types.SimpleNamespace(k=2.0), None], dtype=object)", "A[0].k", ["A[0].k = 5.0", "A[0] = types.SimpleNamespace(k=7.0)"]),
    "array of dates": ("A = np.array(['2020-01-02'], dtype='datetime64[D]')", "float(A.astype(int)[0] % 7)", ["A[0] += 1"]),
    "array's base": ("A = np.arange(4.0)", "float(A.reshape(2, 2)[1, 0])", ["A[2] = 7.0"]),
    "zero-dimensional array": ("A = np.array(2.0)", "float(A)", ["A[...] = 5.0", "A += 1.0"]),
    "array's strides": ("A = np.arange(4.0).reshape(2, 2)", "float(A.strides[0])", ["A.shape = (4,)"]),
    "slice": ("S = [slice(0, 1)]\nL = [2.0, 3.0]", "sum(L[S[0]])", ["S[0] = slice(0, 2)", "L[0] = 5.0"]),
    "range": ("S = [range(3)]", "float(sum(S[0]))", ["S[0] = range(5)"]),
    "zip": ("A, B = [1.0], [2.0]", "sum(a * b for a, b in zip(A, B))", ["A[0] = 5.0", "A.append(1.0)\nB.append(3.0)"]),
    "mapping proxy": ("D = {'a': 2.0}\nP = types.MappingProxyType(D)", "P['a']", ["D['a'] = 5.0"]),
    "dict view": ("D = {'a': 2.0}\nV = D.values()", "sum(V)", ["D['a'] = 5.0", "D['b'] = 1.0"]),
    "dict items view": ("D = {'a': 2.0}\nV = D.items()", "sum(v for k, v in V)", ["D['a'] = 5.0", "D['b'] = 1.0"]),
    "frozenset": ("S = [frozenset({1.0})]", "sum(S[0])", ["S[0] = frozenset({5.0})"]),
    "exception": ("E = ValueError(2.0)", "E.args[0]", ["E.args = (5.0,)"]),
    "exception's notes": ("E = ValueError(2.0)", "float(len(getattr(E, '__notes__', [])) + 1)", ["E.add_note('a')"]),
    "traceback": ("E = ValueError(2.0)", "(2.0 if E.__cause__ is None else 3.0)", ["E.__cause__ = KeyError()"]),
    "bound method": ("S = types.SimpleNamespace(k=2.0)\nclass A:\n    k = 2.0\n    def run(self):\n        return self.k\nB = A()\nM = B.run", "M()", ["B.k = 5.0"]),
    "bound builtin": ("L = [2.0, 1.0]\nM = L.__getitem__", "M(0)", ["L[0] = 5.0"]),
    "bound dict get": ("D = {'a': 2.0}\nM = D.get", "M('a')", ["D['a'] = 5.0"]),
    "map of bound": ("D = {'a': 2.0}", "sum(map(D.get, ['a']))", ["D['a'] = 5.0"]),
    "itertools.chain": ("A = [[1.0], [2.0]]", "sum(itertools.chain.from_iterable(A))", ["A[0].append(5.0)"]),
    "statistics": ("A = [1.0, 2.0]", "statistics.fmean(A)", ["A.append(5.0)"]),
    "heapq": ("import heapq\nA = [3.0, 1.0]", "heapq.nsmallest(1, A)[0]", ["A.append(0.5)"]),
    "bisect": ("import bisect\nA = [1.0, 3.0]", "float(bisect.bisect(A, 2.0) + 1)", ["A.insert(0, 0.5)"]),
    "json": ("T = ['2.5']", "json.loads(T[0])", ["T[0] = '7.5'"]),
    "ast": ("T = ast.parse('2.5')", "T.body[0].value.value", ["T.body[0].value.value = 7.5"]),
    "code": ("T = ['2.5']", "float(eval(compile(T[0], 'a', 'eval')))", ["T[0] = '7.5'"]),
    "email": ("M = email.message.Message()\nM['k'] = '2.5'", "float(M['k'])", ["M.replace_header('k', '7.5')"]),
    "xml": ("T = xml.etree.ElementTree.Element('a', k='2.5')", "float(T.get('k'))", ["T.set('k', '7.5')"]),
    "xml text": ("T = xml.etree.ElementTree.Element('a')\nT.text = '2.5'", "float(T.text)", ["T.text = '7.5'"]),
    "graph of a library": ("T = graphlib.TopologicalSorter({'a': ['b']})", "float(repr(T.prepare).count('a')) + len(T.__dict__)", ["T.prepare()"]),
    "text wrapper": ("W = textwrap.TextWrapper(width=5)", "float(len(W.wrap('aaa bbb ccc')))", ["W.width = 20"]),
    "calendar": ("C = calendar.Calendar(0)", "float(C.firstweekday + 1)", ["C.setfirstweekday(3)"]),
    "namedtuple type": ("P = collections.namedtuple('P', 'a b')\nS = [P(1.0, 2.0)]", "S[0].b", ["S[0] = S[0]._replace(b=5.0)"]),
    "namedtuple defaults": ("P = collections.namedtuple('P', 'a b', defaults=[2.0])", "P(1.0).b", ["P.__new__.__defaults__ = (5.0,)"]),
}  # fmt: skip

# Rules and code ---------------------------------------------------------------------------------

RULES: dict[str, tuple[str, str, list[str]]] = {
    "defvjp": (
        "@custom_vjp\ndef square(y):\n    return y * y\n"
        "square.defvjp(lambda y: (y * y, y), lambda y, g: (2.0 * y * g,))",
        "grad(square)(x)",
        ["square.defvjp(lambda y: (y * y, y), lambda y, g: (7.0 * g,))",
         "square.defvjp(lambda y: (y * 3.0, y), lambda y, g: (5.0 * g,))",
         "square.bwd = lambda y, g: (9.0 * g,)", "square.fwd = lambda y: (y * y, 4.0)"]),
    "defvjp in a container": (
        "@custom_vjp\ndef square(y):\n    return y * y\nTABLE = {'f': square}\n"
        "square.defvjp(lambda y: (y * y, y), lambda y, g: (2.0 * y * g,))",
        "grad(TABLE['f'])(x)", ["square.defvjp(lambda y: (y * y, y), lambda y, g: (7.0 * g,))"]),
    "defvjp of an attribute": (
        "@custom_vjp\ndef square(y):\n    return y * y\nO = types.SimpleNamespace(f1=square)\n"
        "square.defvjp(lambda y: (y * y, y), lambda y, g: (2.0 * y * g,))",
        "grad(getattr(O, 'f' + '1'))(x)",
        ["square.defvjp(lambda y: (y * y, y), lambda y, g: (7.0 * g,))"]),
    "defvjp whose rule reads state": (
        "K = [2.0]\n@custom_vjp\ndef square(y):\n    return y * y\n"
        "square.defvjp(lambda y: (y * y, y), lambda y, g: (K[0] * y * g,))",
        "grad(square)(x)", ["K[0] = 9.0"]),
    "singledispatch": (
        "@functools.singledispatch\ndef kind(a):\n    return 2.0\n", "x * kind('a')",
        ["kind.register(str, lambda a: 5.0)", "kind.register(object, lambda a: 7.0)",
         "kind.register(str, lambda a: 9.0)"]),
    "singledispatch by name": (
        "@functools.singledispatch\ndef kind(a):\n    return 2.0\nO = types.SimpleNamespace(k=kind)",
        "x * getattr(O, f'{\"k\"}')('a')", ["kind.register(str, lambda a: 5.0)"]),
    "singledispatch of an abstract class": (
        "class Abstract(abc.ABC):\n    pass\n@functools.singledispatch\ndef kind(a):\n    return 2.0\n"
        "kind.register(Abstract, lambda a: 3.0)\nclass A:\n    pass",
        "x * kind(A())", ["Abstract.register(A)"]),
    "singledispatchmethod": (
        "class S:\n    @functools.singledispatchmethod\n    def kind(self, a):\n        return 2.0\n",
        "x * S().kind('a')", ["S.__dict__['kind'].register(str, lambda self, a: 5.0)"]),
    "registry": ("S = {str: 2.0}", "x * S[type('a')]", ["S[str] = 5.0"]),
    "ABC.register": (
        "class Abstract(abc.ABC):\n    pass\nclass A:\n    pass\nO = A()",
        "(2.0 * x if isinstance(O, Abstract) else 3.0 * x)", ["Abstract.register(A)"]),
    "ABC.register, issubclass": (
        "class Abstract(abc.ABC):\n    pass\nclass A:\n    pass",
        "(2.0 * x if issubclass(A, Abstract) else 3.0 * x)", ["Abstract.register(A)"]),
    "ABC.register, a number": (
        "class Abstract(abc.ABC):\n    pass",
        "(2.0 * x if isinstance(x, Abstract) else 3.0 * x)",
        ["Abstract.register(float)", "Abstract.register(Value)", "Abstract.register(int)"]),
    "ABC.register of a library's": (
        "class A:\n    pass\nO = A()",
        "(2.0 * x if isinstance(O, collections.abc.Sequence) else 3.0 * x)",
        ["collections.abc.Sequence.register(A)"]),
    "ABC.register, match": (
        "class Abstract(abc.ABC):\n    pass\nclass A:\n    pass\nO = A()\ndef kind(o):\n"
        "    match o:\n        case Abstract():\n            return 2.0\n        case _:\n"
        "            return 3.0", "x * kind(O)", ["Abstract.register(A)"]),
    "__subclasshook__": (
        "K = [True]\nclass Abstract(abc.ABC):\n    @classmethod\n    def __subclasshook__(cls, c):\n"
        "        return K[0]\nclass A:\n    pass",
        "(2.0 * x if issubclass(A, Abstract) else 3.0 * x)", ["K[0] = False\nAbstract.register(int)"]),
    "__instancecheck__": (
        "K = [True]\nclass Meta(type):\n    def __instancecheck__(cls, o):\n        return K[0]\n"
        "class A(metaclass=Meta):\n    pass",
        "(2.0 * x if isinstance('a', A) else 3.0 * x)", ["K[0] = False"]),
    "__bases__": (
        "class A:\n    k = 2.0\nclass B:\n    k = 5.0\nclass C(A):\n    pass\nO = C()",
        "x * O.k", ["C.__bases__ = (B,)", "A.k = 7.0"]),
    "__mro__ by name": (
        "class A:\n    k = 2.0\nclass B:\n    k = 5.0\nclass C(A):\n    pass\nO = C()",
        "x * getattr(O, f'{\"k\"}')", ["C.__bases__ = (B,)", "A.k = 7.0"]),
    "super": (
        "class A:\n    def run(self, x):\n        return 2.0 * x\nclass C(A):\n"
        "    def run(self, x):\n        return super().run(x) + 1.0\nO = C()",
        "O.run(x)", ["A.run = lambda self, x: 5.0 * x", "C.run = lambda self, x: 7.0 * x",
                     "O.run = lambda x: 9.0 * x"]),
    "super by getattr": (
        "class A:\n    k = 2.0\n    def run(self, x):\n        return self.k * x\nclass C(A):\n"
        "    def run(self, x):\n        return getattr(super(), 'ru' + 'n')(x)\nO = C()",
        "O.run(x)", ["A.run = lambda self, x: 5.0 * x", "O.k = 7.0", "A.k = 3.0"]),
    "super attribute": (
        "class A:\n    k = 2.0\nclass C(A):\n    def run(self):\n        return super().k\nO = C()",
        "x * O.run()", ["A.k = 5.0"]),
    "__code__": (
        "def helper(y):\n    return 2.0 * y\ndef other(y):\n    return 5.0 * y", "helper(x)",
        ["helper.__code__ = other.__code__"]),
    "__defaults__": (
        "def helper(y, k=2.0):\n    return k * y", "helper(x)",
        ["helper.__defaults__ = (5.0,)", "helper.__defaults__ = (1,)"]),
    "__kwdefaults__": (
        "def helper(y, *, k=2.0):\n    return k * y", "helper(x)",
        ["helper.__kwdefaults__ = {'k': 5.0}", "helper.__kwdefaults__['k'] = 7.0"]),
    "mutable default": (
        "def helper(y, k=[2.0]):\n    return k[0] * y", "helper(x)", ["helper.__defaults__[0][0] = 5.0"]),
    "default of a method": (
        "class A:\n    def run(self, y, k=2.0):\n        return k * y\nO = A()", "O.run(x)",
        ["A.run.__defaults__ = (5.0,)"]),
    "default of a lambda": (
        "helper = lambda y, k=2.0: k * y", "[*map(helper, [x])][0]", ["helper.__defaults__ = (5.0,)"]),
    "closure cell": (
        "def making():\n    k = 2.0\n    return lambda y: k * y\nhelper = making()", "helper(x)",
        ["helper.__closure__[0].cell_contents = 5.0"]),
    "closure cell read": (
        "def making():\n    k = 2.0\n    return lambda y: k * y\nhelper = making()",
        "x * helper.__closure__[0].cell_contents", ["helper.__closure__[0].cell_contents = 5.0"]),
    "__wrapped__": (
        "@functools.wraps(abs)\ndef helper(y):\n    return helper.__wrapped__(y) * 2.0", "helper(x)",
        ["helper.__wrapped__ = lambda y: 5.0 * y"]),
    "__name__": ("def helper():\n    pass", "x * len(helper.__name__)", ["helper.__name__ = 'an'"]),
    "__doc__": ("def helper():\n    'abc'", "x * len(helper.__doc__)", ["helper.__doc__ = 'an'"]),
    "__annotations__": (
        "def helper(a: float):\n    pass", "x * len(helper.__annotations__)",
        ["helper.__annotations__['b'] = int"]),
    "get_type_hints": (
        "class A:\n    a: float", "x * len(typing.get_type_hints(A))",
        ["A.__annotations__['b'] = int"]),
    "__dict__ of a function": (
        "def helper():\n    pass\nhelper.k = 2.0", "x * vars(helper)['k']", ["helper.k = 5.0"]),
    "signature": (
        "def helper(a, b=2.0):\n    pass", "x * inspect.signature(helper).parameters['b'].default",
        ["helper.__defaults__ = (5.0,)"]),
    "getclosurevars": (
        "K = 2.0\ndef helper():\n    return K", "x * inspect.getclosurevars(helper).globals['K']",
        ["global K\nK = 5.0"]),
    "getsource": ("def helper():\n    return 2.0", "x * len(inspect.getsource(helper))", ["pass"]),
    "co_consts": ("def helper():\n    return 2.0", "x * len(helper.__code__.co_consts)",
                  ["helper.__code__ = (lambda: [1.0, 2.0, 3.0, 'a']).__code__"]),
    "partial's keywords": (
        "def times(y, k):\n    return k * y\np = functools.partial(times, k=2.0)", "p(x)",
        ["p.keywords['k'] = 5.0", "p.keywords['k'] = 1"]),
    "partial's list": (
        "def times(k, y):\n    return k[0] * y\np = functools.partial(times, [2.0])", "p(x)",
        ["p.args[0][0] = 5.0"]),
    "partial's state": (
        "def times(k, y):\n    return k * y\np = functools.partial(times, 2.0)", "p(x)",
        ["p.__setstate__((times, (5.0,), {}, {}))"]),
    "partial read": (
        "p = functools.partial(abs, 2.0)", "x * p.args[0]",
        ["global p\np = functools.partial(abs, 5.0)", "p.__setstate__((abs, (7.0,), {}, {}))"]),
    "partialmethod": (
        "class A:\n    k = 2.0\n    def run(self, y, c):\n        return y * c * self.k\n"
        "    twice = functools.partialmethod(run, c=2.0)\nO = A()", "O.twice(x)",
        ["O.k = 5.0", "A.run = lambda self, y, c: 7.0 * y",
         "vars(A)['twice'].keywords['c'] = 9.0", "vars(A)['twice'].func = lambda self, y, c: y"]),
    "lru_cache": (
        "K = [2.0]\n@functools.lru_cache\ndef helper(n):\n    return K[0] * n", "x * helper(3.0)",
        ["K[0] = 5.0", "helper.cache_clear()", "K[0] = 7.0\nhelper.cache_clear()", "helper(4.0)"]),
    "cache_info": (
        "@functools.lru_cache\ndef helper(n):\n    return n", "x * (helper.cache_info().hits + 1)",
        ["helper(1.0)\nhelper(1.0)", "helper.cache_clear()"]),
    "lru_cache of an object": (
        "@functools.lru_cache\ndef helper(n):\n    return types.SimpleNamespace(k=n)\nhelper(2.0)",
        "x * helper(2.0).k", ["helper(2.0).k = 5.0"]),
    "cached_property": (
        "class A:\n    k = 2.0\n    @functools.cached_property\n    def slope(self):\n"
        "        return self.k\nO = A()", "x * O.slope",
        ["O.k = 5.0", "del O.__dict__['slope']", "O.slope = 7.0",
         "O.k = 3.0\nO.__dict__.pop('slope', None)"]),
    "cached_property by name": (
        "class A:\n    k = 2.0\n    @functools.cached_property\n    def slope(self):\n"
        "        return self.k\nO = A()", "x * getattr(O, 'slo' + 'pe')",
        ["O.k = 5.0", "O.slope = 7.0", "O.k = 3.0\nO.__dict__.pop('slope', None)"]),
    "generic alias": (
        "T = typing.TypeVar('T')\nclass Box(typing.Generic[T]):\n    rate = 2.0",
        "x * Box[float].rate", ["Box.rate = 5.0", "Box[float].rate = 7.0"]),
    "generic alias global": (
        "T = typing.TypeVar('T')\nclass Box(typing.Generic[T]):\n    rate = 2.0\nB = Box[float]",
        "x * B.rate", ["Box.rate = 5.0", "B.rate = 7.0"]),
    "generic alias called": (
        "T = typing.TypeVar('T')\nclass Box(typing.Generic[T]):\n    rate = 2.0\n    def __init__(self):\n"
        "        self.k = self.rate\nB = Box[float]", "x * B().k", ["Box.rate = 5.0"]),
    "generic alias of a class getitem": (
        "class Box:\n    rate = 2.0\n    __class_getitem__ = classmethod(types.GenericAlias)",
        "x * Box[float].rate", ["Box.rate = 5.0"]),
    "generic alias's method": (
        "T = typing.TypeVar('T')\nclass Box(typing.Generic[T]):\n    rate = 2.0\n    @classmethod\n"
        "    def run(cls, y):\n        return cls.rate * y", "Box[float].run(x)", ["Box.rate = 5.0"]),
    "Annotated": (
        "class Unit:\n    k = 2.0\nA = typing.Annotated[float, Unit]", "x * A.__metadata__[0].k",
        ["Unit.k = 5.0"]),
    "dataclass by hand": (
        "@dataclasses.dataclass\nclass A:\n    k: float = 2.0\n    def run(self, y):\n"
        "        return self.k * y\nO = A()", "O.run(x)",
        ["O.k = 5.0", "A.run = lambda self, y: 7.0 * y", "A.k = 3.0\ndel O.k"]),
    "dataclass made inside": (
        "@dataclasses.dataclass\nclass A:\n    k: float = 2.0", "x * A().k",
        ["A.__init__.__defaults__ = (5.0,)", "A.k = 5.0",
         "A.__init__ = lambda self: setattr(self, 'k', 9.0)"]),
    "__post_init__": (
        "K = [2.0]\n@dataclasses.dataclass\nclass A:\n    k: float = 2.0\n    def __post_init__(self):\n"
        "        self.m = self.k * K[0]", "x * A(3.0).m",
        ["K[0] = 5.0", "A.__post_init__ = lambda self: setattr(self, 'm', 9.0)"]),
    "__post_init__ by a computed name": (
        "K = types.SimpleNamespace(k1=2.0)\n@dataclasses.dataclass\nclass A:\n    k: float = 2.0\n"
        "    def __post_init__(self):\n        self.m = self.k * getattr(K, 'k' + '1')",
        "x * A(3.0).m", ["K.k1 = 5.0"]),
    "default_factory": (
        "K = [2.0]\n@dataclasses.dataclass\nclass A:\n    k: list = dataclasses.field(\n"
        "        default_factory=lambda: [K[0]])", "x * A().k[0]", ["K[0] = 5.0"]),
    "make_dataclass inside": (
        "K = ['a', 'k']", "x * dataclasses.make_dataclass('A', K)(1.0, 2.0).k + len(K)",
        ["K.insert(0, 'b')", "K[0] = 'k2'"]),
    "class made inside": (
        "K = {'k': 2.0}", "x * type('A', (), K)().k", ["K['k'] = 5.0"]),
    "class body inside": (
        "K = types.SimpleNamespace(k=2.0)\ndef made():\n    class A:\n        k = K.k\n    return A",
        "x * made().k", ["K.k = 5.0"]),
    "metaclass __call__": (
        "K = [2.0]\nclass Meta(type):\n    def __call__(cls):\n        return K[0]\n"
        "class A(metaclass=Meta):\n    pass", "x * A()", ["K[0] = 5.0"]),
    "metaclass __getattr__": (
        "K = types.SimpleNamespace(k=2.0)\nclass Meta(type):\n    def __getattr__(cls, n):\n"
        "        return getattr(K, n)\nclass A(metaclass=Meta):\n    pass", "x * A.k", ["K.k = 5.0"]),
    "metaclass __len__": (
        "K = [2.0]\nclass Meta(type):\n    def __len__(cls):\n        return int(K[0])\n"
        "class A(metaclass=Meta):\n    pass", "x * len(A)", ["K[0] = 5.0"]),
    "metaclass __iter__": (
        "K = [2.0]\nclass Meta(type):\n    def __iter__(cls):\n        return iter(K)\n"
        "class A(metaclass=Meta):\n    pass", "x * sum(A)", ["K[0] = 5.0", "K.append(1.0)"]),
    "__new__": (
        "K = [2.0]\nclass A:\n    def __new__(cls):\n        o = super().__new__(cls)\n"
        "        o.k = K[0]\n        return o", "x * A().k",
        ["K[0] = 5.0", "A.__new__ = staticmethod(lambda cls: types.SimpleNamespace(k=7.0))"]),
    "__init_subclass__": (
        "K = [2.0]\nclass A:\n    def __init_subclass__(cls):\n        cls.k = K[0]\ndef made():\n"
        "    class B(A):\n        pass\n    return B", "x * made().k", ["K[0] = 5.0"]),
    "__set_name__": (
        "K = [2.0]\nclass D:\n    def __set_name__(self, owner, n):\n        owner.k = K[0]\ndef made():\n"
        "    class B:\n        d = D()\n    return B", "x * made().k", ["K[0] = 5.0"]),
    "monkeypatched method": (
        "class A:\n    def run(self, y):\n        return 2.0 * y\nO = A()", "O.run(x)",
        ["A.run = lambda self, y: 5.0 * y", "O.run = lambda y: 7.0 * y", "del O.run"]),
    "monkeypatched method by name": (
        "class A:\n    def run(self, y):\n        return 2.0 * y\nO = A()", "getattr(O, 'ru' + 'n')(x)",
        ["A.run = lambda self, y: 5.0 * y", "O.run = lambda y: 7.0 * y", "del O.run"]),
    "monkeypatched helper of a module": (
        "m = types.ModuleType('m_of_x')\nm.helper = lambda y: 2.0 * y", "m.helper(x)",
        ["m.helper = lambda y: 5.0 * y", "m.helper = abs"]),
    "monkeypatched scalargrad": (
        "import types as t\nm = t.SimpleNamespace(f=sg.sin)", "m.f(x)", ["m.f = sg.cos"]),
    "generator's frame": (
        "K = [2.0]\ndef gen():\n    yield K[0]", "x * next(gen())", ["K[0] = 5.0"]),
    "closure of a generator": (
        "K = [2.0]", "sum(x * k for k in (c for c in K))", ["K[0] = 5.0", "K.append(1.0)"]),
    "sort key": (
        "K = {'a': 2.0, 'b': 1.0}", "x * len(sorted(K, key=lambda n: K[n])[0] * int(K[min(K, key=K.get)]))",
        ["K['b'] = 5.0", "K['a'] = 0.5"]),
    "sort key attribute": (
        "A = [types.SimpleNamespace(k=2.0, v=3.0), types.SimpleNamespace(k=1.0, v=4.0)]",
        "x * min(A, key=operator.attrgetter('k')).v", ["A[1].k = 5.0", "A[0].v = 7.0"]),
    "sum of attributes": (
        "A = [types.SimpleNamespace(k=2.0), types.SimpleNamespace(k=1.0)]",
        "x * sum(map(operator.attrgetter('k'), A))", ["A[1].k = 5.0", "A.append(types.SimpleNamespace(k=7.0))"]),
    "groupby": (
        "A = [types.SimpleNamespace(k=2.0), types.SimpleNamespace(k=1.0)]",
        "x * len([*itertools.groupby(A, key=lambda a: a.k)])", ["A[1].k = 2.0"]),
    "cmp_to_key": (
        "K = [1.0]\nA = [1.0, 2.0]", "x * sorted(A, key=functools.cmp_to_key(lambda a, b: (a - b) * K[0]))[0]",
        ["K[0] = -1.0", "A[0] = 5.0"]),
    "re.sub": ("K = ['2.5']", "x * float(re.sub('a', lambda m: K[0], 'a'))", ["K[0] = '7.5'"]),
    "total_ordering": (
        "@functools.total_ordering\nclass A:\n    k = 2.0\n    def __eq__(self, o):\n"
        "        return self.k == o\n    def __lt__(self, o):\n        return self.k < o\nO = A()",
        "(2.0 * x if O >= 2.5 else 3.0 * x)", ["O.k = 5.0", "A.k = 7.0"]),
    "table of functions": (
        "T = {'a': lambda y: 2.0 * y}\nN = 'a'", "T[N](x)",
        ["T['a'] = lambda y: 5.0 * y", "T['b'] = lambda y: 7.0 * y\nglobal N\nN = 'b'"]),
    "table by getattr on a module": (
        "m = types.ModuleType('m_of_x')\nm.act_a = lambda y: 2.0 * y\nN = 'a'", "getattr(m, 'act_' + N)(x)",
        ["m.act_a = lambda y: 5.0 * y"]),
    "function of scalargrad by name": (
        "N = 'sin'", "getattr(sg, N)(x) + 0.0 * sg.sin(0.0)", ["global N\nN = 'cos'"]),
    "function of math by name": (
        "N = 'sin'\nK = [2.0]", "x * getattr(math, N)(K[0])", ["global N\nN = 'cos'", "K[0] = 5.0"]),
    "layers by name": (
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.lin0 = nn.Linear(1, 1, rng=0)\n        self.lin1 = nn.Linear(1, 1, rng=1)\n"
        "    def forward(self, y):\n        for i in range(2):\n"
        "            y = getattr(self, f'lin{i}')([y])\n            y = y[0] if isinstance(y, list) else y\n"
        "        return y\nNET = Net()", "NET(x)",
        ["NET.lin0.parameters()[0].data = 3.0", "NET.lin1 = nn.Linear(1, 1, rng=5)",
         "NET.lin0, NET.lin1 = NET.lin1, NET.lin0"]),
    "Values by name": (
        "class P:\n    def __init__(self):\n        for i in range(3):\n"
        "            setattr(self, f'w{i}', Value(float(i)))\nO = P()",
        "sum(getattr(O, f'w{i}') * x for i in range(3))",
        ["O.w1.data = 5.0", "O.w1 = Value(7.0)", "O.w2 = 3.0", "O.w0 = 1"]),
    "Values by vars": (
        "class P:\n    def __init__(self):\n        self.a, self.b = Value(1.0), Value(2.0)\nO = P()",
        "sum((i + 1) * w * x for i, w in enumerate(vars(O).values()))",
        ["O.a.data = 5.0", "v = vars(O).pop('a')\nO.a = v", "O.c = Value(3.0)", "del O.b"]),
    "parameters of a module": (
        "NET = nn.MLP(1, [2, 1], rng=0)", "sum(p * x for p in NET.parameters())",
        ["NET.parameters()[0].data = 5.0"]),
    "recursion": (
        "K = types.SimpleNamespace(k1=2.0)\ndef down(n, y):\n"
        "    return y if n == 0 else down(n - 1, y * getattr(K, 'k' + '1'))", "down(3, x)",
        ["K.k1 = 5.0", "K.k1 = Value(1.5)"]),
    "mutual recursion": (
        "K = [2.0]\ndef even(n, y):\n    return y if n == 0 else odd(n - 1, y)\ndef odd(n, y):\n"
        "    return y * K[0] if n == 0 else even(n - 1, y * 2.0)", "even(3, x)", ["K[0] = 5.0"]),
    "Exception flow": (
        "K = {}\ndef get_(n):\n    try:\n        return K[n]\n    except KeyError:\n        return 2.0",
        "x * get_('a')", ["K['a'] = 5.0", "K.clear()"]),
    "suppress": (
        "K = {}\ndef get_(n):\n    with contextlib.suppress(KeyError):\n        return K[n]\n    return 2.0",
        "x * get_('a')", ["K['a'] = 5.0", "K.clear()"]),
    "ExitStack": (
        "K = [2.0]\ndef get_():\n    found = []\n    with contextlib.ExitStack() as s:\n"
        "        s.callback(lambda: found.append(K[0]))\n    return found[0]", "x * get_()",
        ["K[0] = 5.0"]),
    "f-string name of a global": (
        "A1, A2 = 2.0, 3.0\nI = 1", "x * globals()[f'A{I}']",
        ["global A1\nA1 = 5.0", "global I\nI = 2"]),
    "locals": ("K = 2.0\ndef get_():\n    k = K\n    return locals()['k']", "x * get_()", ["global K\nK = 5.0"]),
    "frame's locals": (
        "def get_():\n    return sys._getframe(1).f_locals['k']\ndef outer(k):\n    return get_()\nK = [2.0]",
        "x * outer(K[0])", ["K[0] = 5.0"]),
    "contextvars run": (
        "C = contextvars.ContextVar('C', default=2.0)\nCTX = contextvars.copy_context()",
        "x * CTX.run(C.get)", ["CTX.run(C.set, 5.0)", "C.set(7.0)"]),
    "asyncio": (
        "K = types.SimpleNamespace(k=2.0)\nasync def get_():\n    await asyncio.sleep(0)\n    return K.k",
        "x * asyncio.run(get_())", ["K.k = 5.0"]),
    "static branch": (
        "MODE = 'a'", "(2.0 * x if MODE == 'a' else 3.0 * x)", ["global MODE\nMODE = 'b'", "global MODE\nMODE = 'a'"]),
    "isinstance of state": (
        "K = [2.0]", "(2.0 * x if isinstance(K[0], float) else 3.0 * x)", ["K[0] = 2", "K[0] = Value(2.0)", "K[0] = True"]),
    "type of state": (
        "K = [2.0]", "{float: 2.0 * x, int: 3.0 * x, Value: 5.0 * x}.get(type(K[0]), 7.0 * x)",
        ["K[0] = 2", "K[0] = Value(2.0)", "K[0] = True"]),
    "identity of state": (
        "A = []\nB = A", "(2.0 * x if A is B else 3.0 * x)", ["global B\nB = []", "global B\nB = A"]),
    "identity of Values": (
        "A = Value(2.0)\nB = A", "(A * x if A is B else B * x * 3.0)", ["global B\nB = Value(4.0)", "global B\nB = A"]),
    "equality of lists": ("A = [1.0]", "(2.0 * x if A == [1] else 3.0 * x)", ["A[0] = True", "A[0] = 5.0", "A.append(1)"]),
    "hash": ("A = ['a', 1.0]", "x * (hash(A[1]) % 7)", ["A[1] = 5.0"]),
    "id": ("A = [1.0]\nB = A", "(2.0 * x if id(A) == id(B) else 3.0 * x)", ["global B\nB = [1.0]"]),
    "truth of a list": ("A = []", "(2.0 * x if A else 3.0 * x)", ["A.append(1)", "A.clear()"]),
    "unpacking": ("A = [1.0, 2.0]", "(lambda a, *b: a * x + len(b))(*A)", ["A.append(3.0)", "A[0] = 5.0"]),
    "keywords": ("A = {'k': 2.0}", "(lambda k=1.0, **m: k * x + len(m))(**A)", ["A['k'] = 5.0", "A['j'] = 3.0", "del A['k']"]),
    "star import": ("m = types.ModuleType('m_of_x')\nm.k = 2.0\nsys.modules['m_of_x'] = m\ndef get_():\n    s = {}\n    exec('from m_of_x import *', s)\n    return s['k']", "x * get_()", ["m.k = 5.0"]),
    "docstring": ("class A:\n    '2.5'", "x * float(A.__doc__)", ["A.__doc__ = '7.5'"]),
    "qualname": ("class A:\n    pass", "x * len(A.__qualname__)", ["A.__qualname__ = 'Other'", "A.__name__ = 'Other'"]),
    "class name": ("class A:\n    pass\nO = A()", "x * len(type(O).__name__)", ["A.__name__ = 'Other'"]),
    "repr of a class": ("class A:\n    pass", "x * len(repr(A))", ["A.__qualname__ = 'Other'"]),
    "module's name": ("m = types.ModuleType('abc')", "x * len(m.__name__)", ["m.__name__ = 'abcdef'"]),
    "unread log": ("class A:\n    k = 2.0\n    log = []\nO = A()", "x * O.k", ["A.log.append(1)", "O.k = 5.0"]),
}  # fmt: skip

# Whole programs -----------------------------------------------------------------------------------

#: Programs with a ``call`` of their own: source, changes.
WHOLE: dict[str, tuple[str, list[str]]] = {
    "name as an argument": (
        """O = types.SimpleNamespace(k=2.0, m=3.0)
N = ['k']
compiled = jit(lambda x, n: x * getattr(O, n))
def call(x):
    return compiled(x, N[0])
""", ["O.k = 5.0", "N[0] = 'm'", "O.m = 7.0", "N[0] = 'k'", "O.k = Value(2.0)"]),
    "name as a static argument": (
        """O = types.SimpleNamespace(k=2.0, m=3.0)
N = ['k']
compiled = jit(lambda x, n: x * getattr(O, n), static_argnames='n')
def call(x):
    return compiled(x, n=N[0])
""", ["O.k = 5.0", "N[0] = 'm'", "O.m = 7.0", "N[0] = 'k'", "O.k = 2"]),
    "object and name as arguments": (
        """class Cfg:
    def __init__(self):
        self.k, self.m = 2.0, 3.0
O, P = Cfg(), Cfg()
N = ['k']
@jit
def compiled(x, *, o, names):
    return sum(x * getattr(o, n) for n in names)
def call(x):
    return compiled(x, o=O, names=N) + 10.0 * compiled(x, o=P, names=[*N, 'm'])
""", ["O.k = 5.0", "N[0] = 'm'", "P.m = 7.0", "N.append('k')", "P.k = 2", "global O, P\nO, P = P, O"]),
    "method of two instances": (
        """class Cfg:
    def __init__(self, k):
        self.k1 = k
    @jit
    def run(self, x):
        return getattr(self, 'k' + '1') * x
P, Q = Cfg(2.0), Cfg(3.0)
def call(x):
    return P.run(x) + 10.0 * Q.run(x)
""", ["P.k1 = 5.0", "Q.k1 = 7.0", "global P, Q\nP, Q = Q, P", "P.k1, Q.k1 = Q.k1, P.k1",
          "Cfg.k1 = 4.0\ndel P.k1", "global P\nP = Cfg(3)", "Q.k1 = Value(3.0)"]),
    "methods of derived classes": (
        """class Base:
    k = 2.0
    def run(self, x):
        return getattr(self, 'act_' + self.name)(x)
    def act_a(self, x):
        return self.k * x
class One(Base):
    name = 'a'
class Two(Base):
    name = 'b'
    def act_b(self, x):
        return super().act_a(x) + self.k
OBJECTS = [One(), Two()]
@jit
def compiled(x):
    return sum(o.run(x) for o in OBJECTS)
def call(x):
    return compiled(x)
""", ["OBJECTS[0].k = 5.0", "Base.k = 7.0", "Two.k = 4.0", "OBJECTS.append(One())", "OBJECTS.reverse()",
          "One.name = 'b'\nOne.act_b = Two.act_b", "OBJECTS[0] = Two()", "Two.name = 'a'",
          "Base.act_a = lambda self, x: 9.0 * x", "OBJECTS[1].act_b = lambda x: 8.0 * x"]),
    "state machine": (
        """class Machine:
    def __init__(self):
        self.mode, self.gain_up, self.gain_down = 'up', 2.0, 3.0
    def on_up(self, x):
        return x * getattr(self, f'gain_{self.mode}')
    def on_down(self, x):
        return x / getattr(self, f'gain_{self.mode}')
    def __call__(self, x):
        return getattr(self, f'on_{self.mode}')(x)
M = Machine()
compiled = jit(M)
def call(x):
    return compiled(x)
""", ["M.mode = 'down'", "M.gain_up = 5.0", "M.gain_down = 7.0", "M.mode = 'up'",
          "Machine.on_up = lambda self, x: 9.0 * x", "M.gain_up = Value(4.0)"]),
    "registry of functions": (
        """REGISTRY = {}
def register(f):
    REGISTRY[f.__name__] = f
    return f
@register
def double(x):
    return 2.0 * x
NAME = 'double'
@jit
def compiled(x):
    return REGISTRY[NAME](x)
def call(x):
    return compiled(x)
""", ["@register\ndef double(x):\n    return 5.0 * x", "@register\ndef other(x):\n    return 7.0 * x",
          "global NAME\nNAME = 'other'\nREGISTRY.setdefault('other', lambda x: 4.0 * x)",
          "REGISTRY.clear()\nREGISTRY[NAME] = lambda x: 8.0 * x"]),
    "registry of classes": (
        """class Base:
    registry = {}
    def __init_subclass__(cls, **kw):
        Base.registry[cls.__name__.lower()] = cls
class One(Base):
    k = 2.0
    def run(self, x):
        return self.k * x
@jit
def compiled(x, name):
    return Base.registry[name]().run(x)
def call(x):
    return compiled(x, 'one')
""", ["class One(Base):\n    def run(self, x):\n        return 5.0 * x", "Base.registry['one'].k = 7.0",
          "Base.registry['one'] = types.SimpleNamespace\nBase.registry['one'].__name__"]),
    "callbacks": (
        """class Bus:
    def __init__(self):
        self.callbacks = []
    def on(self, f):
        self.callbacks.append(f)
        return f
BUS = Bus()
K = types.SimpleNamespace(k1=2.0)
@BUS.on
def first(x):
    return x * getattr(K, 'k' + '1')
@jit
def compiled(x):
    for f in BUS.callbacks:
        x = f(x)
    return x
def call(x):
    return compiled(x)
""", ["K.k1 = 5.0", "BUS.on(lambda x: 3.0 * x)", "BUS.callbacks.pop()", "BUS.on(first)",
          "BUS.callbacks[:] = [lambda x: 7.0 * x]"]),
    "model by names": (
        """class Net(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.n, self.act = n, 'tanh'
        for i in range(n):
            setattr(self, f'lin{i}', nn.Linear(1, 1, rng=i))
    def forward(self, x):
        for i in range(self.n):
            x = getattr(self, f'lin{i}')([x])
            x = getattr(sg, self.act)(x[0] if isinstance(x, list) else x)
        return x
NET = Net(2)
compiled = jit(NET)
def call(x):
    return compiled(x)
""", ["NET.act = 'sigmoid'", "NET.n = 1", "NET.lin1 = nn.Linear(1, 1, rng=7)",
          "NET.lin0.parameters()[0].data = 2.0", "NET.lin0, NET.lin1 = NET.lin1, NET.lin0",
          "NET.lin2 = nn.Linear(1, 1, rng=9)\nNET.n = 3", "NET.act = 'tanh'"]),
    "model with a list": (
        """class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(1, 1, rng=0), nn.Linear(1, 1, rng=1)]
        self.scales = {'a': 2.0}
    def forward(self, x):
        for layer in self.layers:
            x = layer([x])
            x = x[0] if isinstance(x, list) else x
        return x * self.scales['a']
NET = Net()
@jit
def compiled(x):
    return NET(x)
def call(x):
    return compiled(x)
""", ["NET.layers.reverse()", "NET.layers.append(nn.Linear(1, 1, rng=5))", "NET.scales['a'] = 5.0",
          "NET.layers[0].parameters()[0].data = 3.0", "NET.layers.pop()", "NET.scales = {'a': Value(2.0)}"]),
    "parameters by names": (
        """PARAMS = {f'w{i}': Parameter(1.0 + i) for i in range(3)}
@jit
def compiled(x):
    return sum(PARAMS[f'w{i}'] * x ** i for i in range(len(PARAMS)))
def call(x):
    return compiled(x)
""", ["PARAMS['w1'].data = 5.0", "PARAMS['w1'] = Parameter(7.0)", "PARAMS['w3'] = Parameter(4.0)",
          "PARAMS['w0'] = 3.0", "PARAMS['w2'] = PARAMS['w1']", "PARAMS['w0'] = 2"]),
    "tied parameters": (
        """A = types.SimpleNamespace(w0=Parameter(2.0))
A.w1 = A.w0
@jit
def compiled(x):
    return sum(getattr(A, f'w{i}') * (i + 1) * x for i in range(2))
def call(x):
    return compiled(x)
""", ["A.w1 = Parameter(3.0)", "A.w0.data = 5.0", "A.w1 = A.w0", "A.w0 = Parameter(2.0)"]),
    "functions of a loop": (
        """FS = [lambda x, i=i: (i + 1) * x for i in range(3)]
@jit
def compiled(x):
    return sum(f(x) for f in FS)
def call(x):
    return compiled(x)
""", ["FS[1].__defaults__ = (9,)", "FS.append(lambda x: 5.0 * x)", "FS[0] = FS[2]", "FS.reverse()\nFS.pop()"]),
    "functions that share a cell": (
        """def making():
    k = 2.0
    def read(x):
        return k * x
    def write(new):
        nonlocal k
        k = new
    return read, write
READ, WRITE = making()
@jit
def compiled(x):
    return READ(x)
def call(x):
    return compiled(x)
""", ["WRITE(5.0)", "WRITE(2)", "WRITE(Value(3.0))", "READ.__closure__[0].cell_contents = 7.0"]),
    "settings by a path": (
        """CFG = {'a': {'b': {'c': 2.0}}, 'list': [1.0, {'d': 3.0}]}
PATH = 'a.b.c'
@jit
def compiled(x):
    found = CFG
    for part in PATH.split('.'):
        found = found[part] if isinstance(found, dict) else found[int(part)]
    return x * found
def call(x):
    return compiled(x)
""", ["CFG['a']['b']['c'] = 5.0", "global PATH\nPATH = 'list.1.d'", "CFG['list'][1] = {'d': 7.0}",
          "CFG['a'] = {'b': {'c': Value(4.0)}}", "CFG['list'].insert(1, {'d': 8.0})"]),
    "optional terms": (
        """O = types.SimpleNamespace(w=2.0)
@jit
def compiled(x):
    y = O.w * x
    for suffix in ('0', '1'):
        if hasattr(O, f'bias{suffix}'):
            y = y + getattr(O, f'bias{suffix}')
    return y
def call(x):
    return compiled(x)
""", ["O.bias1 = 5.0", "O.bias0 = 7.0", "O.bias1 = Value(1.0)", "O.__dict__.pop('bias1', None)", "O.w = 3.0"]),
    "weights of arrays by names": (
        """W = {f'w{i}': np.full(2, 1.0 + i) for i in range(2)}
@jit
def compiled(x):
    return sum(float(W['w' + str(i)].sum()) * x for i in range(2))
def call(x):
    return compiled(x)
""", ["W['w1'][0] = 9.0", "W['w0'] *= 3.0", "W['w1'] = np.ones(3)", "W['w0'] = np.array([1, 2])"]),
    "vmap of a captured name": (
        """O = types.SimpleNamespace(k0=2.0, k1=3.0)
@jit
def compiled(x):
    return sum(vmap(lambda y: y * getattr(O, 'k' + '0') + getattr(O, 'k1'))([x, x + 1.0, x * 2.0]))
def call(x):
    return compiled(x)
""", ["O.k0 = 5.0", "O.k1 = 7.0", "O.k0 = Value(2.0)", "O.k1 = 3"]),
    "scan of a captured name": (
        """O = types.SimpleNamespace(k0=0.5, steps=3)
@jit
def compiled(x):
    return scan(lambda c, y: (c * getattr(O, 'k' + '0') + y, c), 0.0, [x] * O.steps)[0]
def call(x):
    return compiled(x)
""", ["O.k0 = 0.25", "O.steps = 5", "O.k0 = Value(0.5)", "O.k0 = 1", "O.steps = 2"]),
    "gradient of a captured name": (
        """O = types.SimpleNamespace(k0=2.0)
def loss(x):
    return getattr(O, 'k' + '0') * x * x
compiled = jit(grad(loss))
def call(x):
    return compiled(x)
""", ["O.k0 = 5.0", "O.k0 = Value(2.0)", "O.k0 = 1", "global loss\nloss = lambda x: x"]),
    "frozen settings that are replaced": (
        """@dataclasses.dataclass(frozen=True)
class Cfg:
    k: float = 2.0
    names: tuple = ('k',)
CFG = Cfg()
@jit
def compiled(x):
    return sum(x * getattr(CFG, n) for n in CFG.names)
def call(x):
    return compiled(x)
""", ["global CFG\nCFG = dataclasses.replace(CFG, k=5.0)", "global CFG\nCFG = Cfg(2, ('k', 'k'))",
          "object.__setattr__(CFG, 'k', 7.0)", "Cfg.m = 3.0\nobject.__setattr__(CFG, 'names', ('k', 'm'))"]),
    "memoized method": (
        """class Cfg:
    def __init__(self):
        self.k = 2.0
    @functools.lru_cache(maxsize=None)
    def table(self, n):
        return [self.k * i for i in range(n)]
O = Cfg()
@jit
def compiled(x):
    return x * sum(O.table(3))
def call(x):
    return compiled(x)
""", ["O.k = 5.0", "Cfg.table.cache_clear()", "O.table(3)[0] = 7.0", "O.k = 3.0\nCfg.table.cache_clear()"]),
    "lazy attribute": (
        """class Cfg:
    k = 2.0
    def __getattr__(self, n):
        if n.startswith('lazy_'):
            value = getattr(self, n[5:]) * 2.0
            setattr(self, n, value)
            return value
        raise AttributeError(n)
O = Cfg()
@jit
def compiled(x):
    return x * O.lazy_k
def call(x):
    return compiled(x)
""", ["O.k = 5.0", "O.__dict__.pop('lazy_k', None)", "O.lazy_k = 7.0", "Cfg.k = 3.0\nO.__dict__.clear()"]),
    "units by operators": (
        """class Unit:
    def __init__(self, factor):
        self.factor = factor
    def __rmul__(self, x):
        return x * getattr(self, 'fac' + 'tor')
    def __pow__(self, n):
        return Unit(self.factor ** n)
METRE = Unit(2.0)
@jit
def compiled(x):
    return x * METRE ** 2
def call(x):
    return compiled(x)
""", ["METRE.factor = 5.0", "METRE.factor = 2", "Unit.__pow__ = lambda self, n: Unit(self.factor * n)",
          "Unit.__rmul__ = lambda self, x: x * 7.0", "global METRE\nMETRE = Unit(3.0)"]),
    "vector of a user's": (
        """class Vec:
    __slots__ = ('items',)
    def __init__(self, *items):
        self.items = items
    def __iter__(self):
        return iter(self.items)
    def __len__(self):
        return len(self.items)
    def __getitem__(self, i):
        return self.items[i]
    def dot(self, other):
        return sum(a * b for a, b in zip(self, other))
W = Vec(1.0, 2.0)
@jit
def compiled(x):
    return W.dot(Vec(*[x] * len(W))) + W[-1]
def call(x):
    return compiled(x)
""", ["W.items = (5.0, 2.0)", "W.items = (1.0,)", "W.items = (1, 2)", "global W\nW = Vec(Value(2.0), 1.0)",
          "Vec.__len__ = lambda self: 1", "Vec.dot = lambda self, other: other.items[0]"]),
    "linked list": (
        """class Cell:
    def __init__(self, k, rest=None):
        self.k, self.rest = k, rest
L = Cell(1.0, Cell(2.0, Cell(3.0)))
@jit
def compiled(x):
    y, cell = 0.0, L
    while cell:
        y, cell = y + x * cell.k, getattr(cell, 're' + 'st')
    return y
def call(x):
    return compiled(x)
""", ["L.rest.rest.k = 5.0", "L.rest.rest.rest = Cell(4.0)", "L.rest = L.rest.rest", "global L\nL = Cell(2.0, L)",
          "L.k = Value(2.0)", "Cell.__bool__ = lambda self: self.k < 3.0"]),
    "graph with a ring": (
        """A, B = types.SimpleNamespace(k=2.0), types.SimpleNamespace(k=3.0)
A.next, B.next = B, A
@jit
def compiled(x):
    node = A
    for _ in range(3):
        x, node = x * node.k, getattr(node, 'next')
    return x
def call(x):
    return compiled(x)
""", ["B.k = 5.0", "A.next = A", "A.k = 1", "B.next = types.SimpleNamespace(k=7.0, next=A)"]),
    "events of a schedule": (
        """class Schedule:
    def __init__(self):
        self.steps = {0: 2.0, 10: 3.0}
        self.now = 0
    def rate(self):
        return self.steps[max(k for k in self.steps if k <= self.now)]
S = Schedule()
@jit
def compiled(x):
    return x * S.rate()
def call(x):
    return compiled(x)
""", ["S.now = 10", "S.now = 5", "S.steps[5] = 7.0", "S.steps[0] = 4.0", "S.now += 1"]),
    "step counter": (
        """class Opt:
    t = 1
    lr = 0.5
    def rate(self):
        return self.lr / self.t ** 0.5
OPT = Opt()
@jit
def compiled(x):
    return x * OPT.rate()
def call(x):
    return compiled(x)
""", ["OPT.t += 1", "OPT.t = OPT.t + 1", "Opt.lr = 0.25", "OPT.lr = 0.1"]),
    "shadowing of a global": (
        """K = 2.0
def helper(x):
    return K * x
@jit
def compiled(x):
    return helper(x) + len(NAMES)
NAMES = ['a']
def call(x):
    return compiled(x)
""", ["global K\nK = 5.0", "NAMES.append('b')", "global len\nlen = lambda x: 9.0", "global helper\nhelper = lambda x: 7.0 * x"]),
    "deleted global": (
        """K = 2.0
@jit
def compiled(x):
    try:
        return K * x
    except NameError:
        return 3.0 * x
def call(x):
    return compiled(x)
""", ["globals().pop('K', None)", "global K\nK = 5.0", "global K\nK = 2"]),
    "builtin that becomes a global": (
        """@jit
def compiled(x):
    return x * max(2.0, 3.0) * abs(-1.0)
def call(x):
    return compiled(x)
""", ["global max\nmax = min", "global abs\nabs = lambda v: 5.0", "globals().pop('max', None)"]),
}  # fmt: skip


#: What docs/explained/sharp-bits.md says is assumed not to change: libraries themselves, and logs.
TAKEN_TO_STAY = {
    "effect: logger",
    *(
        f"setting: {name}"
        for name in (
            *("patched math", "patched math by name", "patched builtins", "patched random"),
            *("attribute added to a library", "attribute added to a library, by name"),
            *("attribute added to NumPy", "RLock", "Barrier", "gc.isenabled", "umask"),
            *("print options", "division under np.errstate", "logger by name", "sys.argv by name"),
        )
    ),
}

#: Modules named like those of the standard library, with a global ``k`` and functions.
LIBRARY_NAMES = [
    "profile", "sched", "this", "cProfile", "trace", "chunk", "imghdr", "sndhdr", "nntplib",
    "telnetlib", "mailcap", "pipes", "colorsys", "rlcompleter", "bdb", "pyclbr", "tabnanny",
    "symtable", "turtle", "antigravity", "netrc", "xdrlib", "stringprep", "sunau", "fileinput",
    "settings_of_mine",
]  # fmt: skip
_MODULE_TEXT = """k = 2.0
items = [1.0, 2.0]
class Cfg:
    k = 2.0
    def __init__(self):
        self.m = 3.0
    def run(self, y):
        return self.m * y
cfg = Cfg()
def times(y):
    return k * y
def by_name(y, n='k'):
    return globals()[n] * y
def of(name):
    return getattr(cfg, name)
"""
_MODULE_READS = {
    "global": ("x * $m.k", ["$m.k = 5.0", "$m.k = 1"]),
    "function": ("$m.times(x)", ["$m.k = 5.0", "$m.times = lambda y: 7.0 * y"]),
    "function imported": ("times(x)", ["$m.k = 5.0"]),
    "function imported inside": ("inside(x)", ["$m.k = 5.0"]),
    "computed global": ("x * getattr($m, f'{\"k\"}')", ["$m.k = 5.0"]),
    "global by name": ("$m.by_name(x)", ["$m.k = 5.0"]),
    "list": ("x * sum($m.items)", ["$m.items.append(5.0)", "$m.items[0] = 7.0"]),
    "object": ("x * $m.cfg.m", ["$m.cfg.m = 5.0"]),
    "object by name": ("x * getattr($m.cfg, 'm' * 1)", ["$m.cfg.m = 5.0"]),
    "object within": ("x * $m.of('m')", ["$m.cfg.m = 5.0"]),
    "class": ("x * $m.Cfg.k", ["$m.Cfg.k = 5.0"]),
    "class made inside": ("x * $m.Cfg().k", ["$m.Cfg.k = 5.0", "$m.Cfg.__init__ = lambda self: setattr(self, 'k', 7.0)"]),
    "method": ("$m.cfg.run(x)", ["$m.cfg.m = 5.0", "$m.Cfg.run = lambda self, y: 7.0 * y"]),
    "vars": ("x * vars($m)['k']", ["$m.k = 5.0"]),
}  # fmt: skip

#: Where an expression stands: setup around it, lines of the function, expression.
VIAS: dict[str, tuple[str, str]] = {
    "directly": ("", "$e"),
    "helper": ("def helper(x):\n    return $e", "helper(x)"),
    "helper by name": ("def helper(x):\n    return $e", "globals()['hel' + 'per'](x)"),
    "lambda": ("helper = lambda x: $e", "helper(x)"),
    "method": ("class Via:\n    def run(self, x):\n        return $e\nVIA = Via()", "VIA.run(x)"),
    "method by name": (
        "class Via:\n    def run_a(self, x):\n        return $e\n    def run(self, n, x):\n"
        "        return getattr(self, 'run_' + n)(x)\nVIA = Via()", "VIA.run('a', x)"),
    "static method": ("class Via:\n    @staticmethod\n    def run(x):\n        return $e", "Via.run(x)"),
    "callback": ("", "[*map(lambda x: $e, [x])][0]"),
    "comprehension": ("", "[$e for _ in range(1)][0]"),
    "generator": ("def helper(x):\n    yield $e", "next(helper(x))"),
    "nested function": ("def helper(x):\n    def inner():\n        return $e\n    return inner()", "helper(x)"),
    "partial": ("def helper(x):\n    return $e", "functools.partial(helper)(x)"),
    "compiled": ("helper = jit(lambda x: $e)", "helper(x)"),
    "item of a table": ("def helper(x):\n    return $e\nVIAS = {'a': helper}", "VIAS['a'](x)"),
    "attribute by a computed name": (
        "def helper(x):\n    return $e\nVIA = types.SimpleNamespace(f1=helper)",
        "getattr(VIA, f'f{1}')(x)"),
    "decorated": (
        "def through(f):\n    @functools.wraps(f)\n    def inner(*a):\n        return f(*a)\n"
        "    return inner\n@through\ndef helper(x):\n    return $e", "helper(x)"),
    "Module": (
        "class Via(nn.Module):\n    def forward(self, x):\n        return $e\nVIA = Via()", "VIA(x)"),
    "exec": ("exec('''def helper(x):\n    return $e\n''', globals())", "helper(x)"),
    "object that is called": (
        "class Via:\n    def __call__(self, x):\n        return $e\nVIA = Via()", "VIA(x)"),
    "reduce": ("", "functools.reduce(lambda _, x: $e, [x], None)"),
}  # fmt: skip


def _function(r: random.Random, setup: str, expression: str, lines: str = "") -> tuple[str, str]:
    """Return the source of a function of an expression of x, and how it reaches it."""
    via = "directly" if lines or r.random() < 0.45 else r.choice([*VIAS])
    around, inside = VIAS[via]
    text = inside.replace("$e", expression)
    body = (lines + "\n" if lines else "") + f"return {text}"
    if via == "exec" and ("'''" in expression or "\\n" in expression):
        around, body = "", f"return {expression}"
    return (
        f"{setup}\n{around.replace('$e', expression)}\ndef f(x):\n{indent(body, '    ')}\n"
        "compiled = jit(f)\ndef call(x):\n    return compiled(x)\n",
        via,
    )


def _state(r: random.Random, arguments: Callable[..., list[str]], calls: int) -> dict[str, Any]:
    """Return a program that reads settings, or state of objects of libraries."""
    name = r.choice([*SETTINGS])
    setup, number, changes = SETTINGS[name]
    if name == "patched random":
        setup = "RANDOM = random.random"
    source, via = _function(r, setup, f"x * {number}")
    source += _changes(r, calls, changes * 2 + ["pass"])
    return {"parts": {"route": f"setting: {name}", "via": via}, "source": source,
            "arguments": arguments(r)}  # fmt: skip


def _rule(r: random.Random, arguments: Callable[..., list[str]], calls: int) -> dict[str, Any]:
    """Return a program whose rules or code change."""
    name = r.choice([*RULES])
    setup, expression, changes = RULES[name]
    source, via = _function(r, setup, expression)
    source += _changes(r, calls, changes * 2 + ["pass"])
    return {"parts": {"route": f"rule: {name}", "via": via}, "source": source,
            "arguments": arguments(r)}  # fmt: skip


def _whole(r: random.Random, arguments: Callable[..., list[str]], calls: int) -> dict[str, Any]:
    """Return a whole program, of a kind that people write."""
    name = r.choice([*WHOLE])
    source, changes = WHOLE[name]
    source += _changes(r, calls, changes * 2 + ["pass"])
    return {"parts": {"route": f"program: {name}"}, "source": source, "arguments": arguments(r)}


def _module(r: random.Random, arguments: Callable[..., list[str]], calls: int) -> dict[str, Any]:
    """Return a program that reads a module of the user named like one of a library."""
    module, name = r.choice(LIBRARY_NAMES), r.choice([*_MODULE_READS])
    expression, changes = _MODULE_READS[name]
    setup = f"import {module}\nfrom {module} import times\ndef inside(x):\n    from {module} import times\n    return times(x)"
    source, via = _function(r, setup, expression.replace("$m", module))
    source += _changes(r, calls, [c.replace("$m", module) for c in changes * 2 + ["pass"]])
    return {"parts": {"route": f"module: {name}", "name": module, "via": via}, "source": source,
            "arguments": arguments(r), "files": {module: _MODULE_TEXT}}  # fmt: skip


def _called(r: random.Random, table: list[tuple[str, str, str, str]]) -> tuple[str, str, str, str]:
    """Return a call by a route: the setup, the lines, the number, and the name of the route."""
    module, function, given, number = r.choice(table)
    route = r.choice([*CALL_ROUTES])
    cut = max(1, len(function) // 2)
    texts = []
    for text in CALL_ROUTES[route]:
        for hole, by in (("$head", function[:cut]), ("$tail", function[cut:]),
                         ("$m", module), ("$f", function), ("$a", given)):  # fmt: skip
            text = text.replace(hole, by)
        if module == "np" or module.startswith("np."):
            text = text.replace("import np", "import num" + "py").replace("from np", "from numpy")
        if module.partition(".")[0] in {"datetime", "pathlib", "os", "np"} and "." in module:
            text = text.replace(f"import {module} as module", f"module = {module}")
            first, _, rest = module.partition(".")
            text = text.replace(
                f"from {module} import {function} as called", f"called = {module}.{function}"
            )
            text = text.replace(f"import {module}\\n", f"import {first}\\n").replace(
                f"import {module}\n", f"import {first}\n"
            )
            text = (
                text.replace(f"'{module}'", f"'{first}'")
                .replace(f"__import__('{first}', fromlist=['a'])", f"__import__('{first}').{rest}")
                .replace(f"import_module('{first}')", f"import_module('{first}').{rest}")
                .replace(f"sys.modules['{first}']", f"sys.modules['{first}'].{rest}")
            )
        texts.append(text)
    setup, lines, call = texts
    return setup, lines, number.replace("$c", f"({call})"), f"{route}: {module}.{function}"


def _clock(r: random.Random, arguments: Callable[..., list[str]], calls: int) -> dict[str, Any]:
    """Return a program that reads a clock."""
    coarse = r.random() < 0.3
    setup, lines, number, route = _called(r, COARSE_CLOCKS if coarse else CLOCKS)
    source, via = _function(r, setup, f"x * {number}", lines)
    return {"parts": {"route": f"clock {route.partition(':')[0]}", "function": route, "via": via},
            "source": source, "judged": "refused" if coarse else "clock"}  # fmt: skip


def _file(r: random.Random, arguments: Callable[..., list[str]], calls: int) -> dict[str, Any]:
    """Return a program that reads files or the environment."""
    if r.random() < 0.5:
        setup, lines, number, route = _called(r, FILE_CALLS)
        name = f"file {route.partition(':')[0]}"
    else:
        name = r.choice([*FILE_READS])
        (setup, number), lines, route = FILE_READS[name], "", name
        name = f"file: {name}"
    if "configured" in number:
        setup += ("\ndef configured():\n    c = configparser.ConfigParser()\n    c.read(FOLDER + '/a.ini')\n"
                  "    return float(c['a']['k']) + len(FILE.read_text())")  # fmt: skip
    source, via = _function(r, _FILE_SETUP + setup, f"x * {number}", lines)
    source += _changes(r, calls, FILE_CHANGES)
    return {"parts": {"route": name, "function": route, "via": via}, "source": source}


def _effect(r: random.Random, arguments: Callable[..., list[str]], calls: int) -> dict[str, Any]:
    """Return a program that has an effect."""
    name = r.choice([*WRITES])
    setup, statement = WRITES[name]
    if r.random() < 0.5 or "return" in statement:
        lines, via = f"{statement}\nreturn x * 2.0", "directly"
        source = f"{_FILE_SETUP}{setup}\ndef f(x):\n{indent(lines, '    ')}\n"
    else:
        via = r.choice(["helper", "method", "method by name", "nested"])
        helper = f"def effect(x):\n{indent(statement, '    ')}\n    return x * 2.0\n"
        call = {"helper": "effect(x)", "nested": "[*map(effect, [x])][0]"}.get(via, "")
        if not call:
            helper += ("class Acts:\n    def act_one(self, x):\n        return effect(x)\n"
                       "    def act(self, n, x):\n        return getattr(self, 'act_' + n)(x)\nACTS = Acts()\n")  # fmt: skip
            call = "ACTS.act_one(x)" if via == "method" else "ACTS.act('one', x)"
        source = f"{_FILE_SETUP}{setup}\n{helper}def f(x):\n    return {call}\n"
    source += "compiled = jit(f)\ndef call(x):\n    return compiled(x)\n"
    source += _changes(r, calls, ["pass"])
    return {"parts": {"route": f"effect: {name}", "via": via}, "source": source}


_KINDS = (
    [_types] * 4 + [_state] * 5 + [_rule] * 5 + [_module, _clock, _file, _file, _effect, _effect]
)


def drawn_case(r: random.Random, arguments: Callable[..., list[str]], calls: int) -> dict[str, Any]:
    """Return the parts of a program of a kind that is drawn."""
    return r.choice(_KINDS)(r, arguments, calls)
