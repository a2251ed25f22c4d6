# ruff: noqa: E501, ISC004 - tables of source text
"""Parts of programs that read captured state: objects, places, routes, values and changes.

A part is source text in which ``$o`` is the object that a function reads, ``$k`` the attribute,
``$n`` an expression for its name and ``$v`` its first value. `captured_programs` draws parts and
joins them::

    class Cfg: ...                      # an entry of OBJECTS
    O = make()                          # an entry of PLACES, with `f`, `get` and `put`
    def f(x):
        r = getattr(O, f"w{i}")         # an entry of ROUTES
        return x * r                    # a use of an entry of LEAVES
    def change_1():
        setattr(get(), "w1", 5.0)       # a change
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Route:
    """A route by which an attribute is read.

    Attributes
    ----------
    read : str
        Expression for the value of the attribute.
    lines, setup, methods : str
        Statements of the function before it; definitions of the module; methods of the class.
    use : str
        Expression for the result; empty if the leaf's own use is taken.
    leaf : str
        The only kind of leaf it can read; empty for any.
    """

    read: str
    lines: str = ""
    setup: str = ""
    methods: str = ""
    use: str = ""
    leaf: str = ""


# Names ------------------------------------------------------------------------------------------

#: Names of attributes; some are no identifiers.
NAMES = ["k", "w1", "act_a", "rate", "n_steps", "m2", "_p", "x9", "a b", "k-1"]

#: Expressions for a name: ``$k`` is the name, ``$head`` and ``$tail`` its halves.
NAME_EXPRESSIONS: dict[str, tuple[str, str, str]] = {  # expression, lines before, setup
    "literal": ("'$k'", "", ""),
    "f-string": ("f'$head{t}'", "t = '$tail'", ""),
    "f-string of a global": ("f'$head{TAIL}'", "", "TAIL = '$tail'"),
    "sum": ("'$head' + t", "t = '$tail'", ""),
    "sum of a global": ("'$head' + TAIL", "", "TAIL = '$tail'"),
    "percent": ("'$head%s' % '$tail'", "", ""),
    "format": ("'$head{}'.format(TAIL)", "", "TAIL = '$tail'"),
    "join": ("''.join(['$head', '$tail'])", "", ""),
    "join of a global": ("''.join(PIECES)", "", "PIECES = ['$head', '$tail']"),
    "item of a dict": ("TABLE['k']", "", "TABLE = {'k': '$k', 'other': 'first'}"),
    "item of a list": ("NAMES[0]", "", "NAMES = ['$k', 'first']"),
    "attribute": ("NAMED.name", "", "NAMED = types.SimpleNamespace(name='$k')"),
    "conditional": ("('$k' if FLAG else 'first')", "", "FLAG = True"),
    "conditional of literals": ("('first' if x is None else '$k')", "", ""),
    "reversed": ("'$reversed'[::-1]", "", ""),
    "sliced": ("'_$k'[1:]", "", ""),
    "method of text": ("' $k '.strip()", "", ""),
    "helper": ("name_of()", "", "def name_of():\n    return '$k'"),
    "enumeration": (
        "Key.K.value", "", "class Key(enum.Enum):\n    K = '$k'\n    OTHER = 'first'"),
    "smallest": ("min(NAMES, key=len)", "", "NAMES = ['$k', 'x' * 9]"),
    "bytes": ("b'$k'.decode()", "", ""),
    "walrus": ("(t := '$k')", "", ""),
    "subclass of str": ("Text('$k')", "", "class Text(str):\n    pass"),
}  # fmt: skip

#: Changes of the names above, where the setup has them.
NAME_CHANGES = {
    "TAIL = ": "global TAIL\nTAIL = '_none'",
    "PIECES = ": "PIECES[:] = ['fir', 'st']",
    "TABLE = ": "TABLE['k'] = 'first'",
    "NAMES = ": "NAMES[0] = 'first'",
    "NAMED = ": "NAMED.name = 'first'",
    "FLAG = ": "global FLAG\nFLAG = not FLAG",
    "def name_of": "global name_of\nname_of = lambda: 'first'",
    "G = getattr": "global G\nG = lambda o, n, *d: 7.0",
    "GET = ": "global GET\nGET = lambda o: 7.0",
}

# Routes -----------------------------------------------------------------------------------------

#: Reads within methods, of ``self``.
INNER = [
    "self.$k", "self.$k", "getattr(self, '$k')", "getattr(self, '$head' + '$tail')",
    "vars(self)['$k']", "self.__dict__['$k']", "operator.attrgetter('$k')(self)",
    "getattr(self, f'{TEXT}')", "object.__getattribute__(self, '$k')",
]  # fmt: skip


def _dunder(read: str, method: str, use: str = "") -> Route:
    """Return a read through a special method, which reads the attribute itself."""
    return Route(read, setup="TEXT = '$k'", methods=method, use=use, leaf="number")


def _method(read: str, name: str, more: str = "", setup: str = "") -> Route:
    """Return a call of a method with x, which reads the attribute itself."""
    body = f"def {name}(self, x):\n    r = $inner\n    return $use"
    return Route(read, setup="TEXT = '$k'\n" + setup, methods=f"{body}\n{more}", use="r")


ROUTES: dict[str, Route] = {
    # by name
    "literal": Route("$o.$k"),
    "getattr": Route("getattr($o, $n)"),
    "getattr with a default": Route("getattr($o, $n, 0.25)"),
    "getattr of a missing name": Route("getattr($o, $n + '_none', 0.25)", leaf="number"),
    "hasattr and literal": Route("($o.$k if hasattr($o, '$k') else 0.25)"),
    "hasattr and getattr": Route("(getattr($o, $n) if hasattr($o, $n) else 0.25)"),
    "hasattr": Route("(2.0 if hasattr($o, $n) else 3.0)", leaf="number"),
    "hasattr of a missing name": Route(
        "(2.0 if hasattr($o, $n + '_none') else 3.0)", leaf="number"),
    "try getattr": Route(
        "r0", "try:\n    r0 = getattr($o, $n)\nexcept AttributeError:\n    r0 = 0.25"),
    "try literal": Route("r0", "try:\n    r0 = $o.$k\nexcept AttributeError:\n    r0 = 0.25"),
    "reduce": Route("functools.reduce(getattr, [$n], $o)"),
    "reduce of a split": Route(
        "functools.reduce(getattr, ($n + '.rate').split('.'), $o)", leaf="object", use="x * r"),
    "reduce of a global": Route(
        "functools.reduce(getattr, PATH.split('.'), $o)", setup="PATH = '$k.rate'", leaf="object",
        use="x * r"),
    "getattr of getattr": Route(
        "getattr(getattr($o, $n), 'ra' + 'te')", leaf="object", use="x * r"),
    "attrgetter": Route("operator.attrgetter($n)($o)"),
    "attrgetter of two": Route("operator.attrgetter('first', $n)($o)[1]"),
    "attrgetter of a path": Route(
        "operator.attrgetter($n + '.rate')($o)", leaf="object", use="x * r"),
    "attrgetter global": Route("GET($o)", setup="GET = operator.attrgetter('$k')"),
    "itemgetter of vars": Route("operator.itemgetter($n)(vars($o))"),
    "itemgetter global": Route("GET(vars($o))", setup="GET = operator.itemgetter('$k')"),
    # by namespaces
    "vars item": Route("vars($o)[$n]"),
    "vars get": Route("vars($o).get($n, 0.25)"),
    "vars values": Route("list(vars($o).values())[-1]"),
    "vars first": Route("next(iter(vars($o).values()))"),
    "vars items": Route("[v for n, v in vars($o).items() if n == $n][0]"),
    "vars keys": Route("getattr($o, [*vars($o)][-1])"),
    "vars sum": Route(
        "sum(v for v in vars($o).values() if not callable(v))", leaf="number"),
    "vars weighted": Route(
        "sum((j + 1) * v for j, v in enumerate(vars($o).values()))", leaf="number"),
    "vars length": Route("float(len(vars($o)))", leaf="number"),
    "vars in": Route("(2.0 if $n in vars($o) else 3.0)", leaf="number"),
    "vars sorted": Route("dict(sorted(vars($o).items()))[$n]"),
    "vars unpacked": Route("{**vars($o)}[$n]"),
    "vars as keywords": Route("types.SimpleNamespace(**vars($o)).$k"),
    "vars as arguments": Route(
        "of_keywords(**vars($o))", setup="def of_keywords(**given):\n    return given['$k']"),
    "vars chained": Route("collections.ChainMap(vars($o))[$n]"),
    "vars global": Route("V($o)[$n]", setup="V = vars"),
    "vars matched": Route(
        "r0", "match vars($o):\n    case {'$k': r0}:\n        pass\n    case _:\n        r0 = 0.25"),
    "dict item": Route("$o.__dict__[$n]"),
    "dict get": Route("$o.__dict__.get($n, 0.25)"),
    "dict values": Route("[*$o.__dict__.values()][-1]"),
    "dict copy": Route("dict($o.__dict__)[$n]"),
    "dict by getattr": Route("getattr($o, '__di' + 'ct__')[$n]"),
    "dir": Route("[getattr($o, n) for n in dir($o) if n == $n][0]"),
    "dir length": Route("float(len(dir($o)))", leaf="number"),
    "sizeof": Route("float(len($o.__dict__) + 1)", leaf="number"),
    "type vars": Route("vars(type($o))[$n]"),
    "type literal": Route("type($o).$k"),
    "type getattr": Route("getattr(type($o), $n)"),
    "class getattr": Route("getattr($o.__class__, $n)"),
    "mro": Route("next(vars(c)[$n] for c in type($o).__mro__ if $n in vars(c))"),
    # by lookups of Python's own
    "getattribute": Route("$o.__getattribute__($n)"),
    "object getattribute": Route("object.__getattribute__($o, $n)"),
    "type getattribute": Route("type($o).__getattribute__($o, $n)"),
    "getattribute by getattr": Route("getattr($o, '__getattri' + 'bute__')($n)"),
    "getattr_static": Route("inspect.getattr_static($o, $n)"),
    "getmembers": Route("dict(inspect.getmembers($o))[$n]"),
    "slots": Route("getattr($o, [n for n in type($o).__slots__ if n == $n][0])"),
    "member descriptor": Route("vars(type($o))[$n].__get__($o)"),
    "annotations": Route("getattr($o, [*type($o).__annotations__][-1])"),
    # by aliases
    "alias global": Route("G($o, $n)", setup="G = getattr"),
    "alias default": Route("look($o, $n)", setup="def look(o, n, g=getattr):\n    return g(o, n)"),
    "alias closure": Route(
        "LOOK($o, $n)",
        setup="def looking():\n    g = getattr\n    return lambda o, n: g(o, n)\nLOOK = looking()"),
    "alias attribute": Route("TOOLS.get($o, $n)", setup="TOOLS = types.SimpleNamespace(get=getattr)"),
    "alias class": Route(
        "Tools.get($o, $n)", setup="class Tools:\n    get = staticmethod(getattr)"),
    "alias item": Route("TOOLS['get']($o, $n)", setup="TOOLS = {'get': getattr}"),
    "alias local": Route("g($o, $n)", "g = getattr"),
    "alias builtins": Route("builtins.getattr($o, $n)"),
    "alias of builtins by name": Route("getattr(builtins, 'get' + 'attr')($o, $n)"),
    "alias partial": Route("functools.partial(getattr, $o)($n)"),
    "alias wrapped": Route(
        "look($o, $n)", setup="@functools.wraps(getattr)\ndef look(o, n):\n    return getattr(o, n)"),
    "alias cached": Route(
        "look($n)($o)", setup="@functools.lru_cache\ndef look(n):\n    return operator.attrgetter(n)"),
    "alias star": Route("getattr(*[$o, $n])"),
    "alias keywords": Route("look(n=$n, o=$o)", setup="def look(*, o, n):\n    return getattr(o, n)"),
    # by maps and comprehensions
    "map partial": Route("[*map(functools.partial(getattr, $o), [$n])][0]"),
    "map": Route("[*map(getattr, [$o], [$n])][0]"),
    "starmap": Route("[*itertools.starmap(getattr, [($o, $n)])][0]"),
    "map of attrgetter": Route("[*map(operator.attrgetter($n), [$o])][0]"),
    "comprehension": Route("[getattr($o, n) for n in ['first', $n]][-1]"),
    "generator": Route("next(getattr($o, n) for n in [$n])"),
    "sum of a generator": Route("sum(getattr($o, n) for n in ['first', $n])", leaf="number"),
    "dict comprehension": Route("{n: getattr($o, n) for n in ['first', $n]}[$n]"),
    "loop": Route("r0", "for n in ('first', $n):\n    r0 = getattr($o, n)"),
    "loop of a split": Route("r0", "for n in f'first|{$n}'.split('|'):\n    r0 = getattr($o, n)"),
    "generator function": Route(
        "[*reads($o, [$n])][0]",
        setup="def reads(o, names):\n    for n in names:\n        yield getattr(o, n)"),
    "yield from": Route(
        "[*reads($o)][0]",
        setup="def reads(o):\n    yield from (o.$k for _ in range(1))"),
    "filter": Route(
        "[*filter(lambda v: v is not None, [getattr($o, $n)])][0]"),
    "key of max": Route(
        "max([$o], key=lambda o: len(repr(getattr(o, '$k')))).$k"),
    "sorted by a key": Route("getattr(sorted([$o], key=operator.attrgetter('first'))[0], $n)"),
    "lambda": Route("(lambda o: o.$k)($o)"),
    "recursion": Route(
        "down($o, 2)",
        setup="def down(o, n):\n    return o.$k if n == 0 else down(o, n - 1)"),
    "thread": Route(
        "concurrent.futures.ThreadPoolExecutor(1).submit(getattr, $o, $n).result()"),
    "coroutine": Route(
        "run(reading($o))", setup="async def reading(o):\n    return o.$k\n"
        "def run(c):\n    try:\n        c.send(None)\n    except StopIteration as e:\n        return e.value"),
    "vectorize": Route("np.vectorize(lambda _: getattr($o, '$k'), otypes=[object])([0])[0]"),
    # by copies
    "copy": Route("copy.copy($o).$k"),
    "copy by name": Route("getattr(copy.copy($o), $n)"),
    "deepcopy": Route("copy.deepcopy($o).$k"),
    "deepcopy by name": Route("getattr(copy.deepcopy($o), $n)"),
    "pickle": Route("getattr(pickle.loads(pickle.dumps($o)), $n)"),
    "reduce_ex": Route("$o.__reduce_ex__(2)[2][$n]"),
    "getstate": Route("$o.__getstate__()[$n]"),
    "replace": Route("getattr(dataclasses.replace($o), $n)"),
    "replace of another": Route("getattr(dataclasses.replace($o, first=0.75), $n)"),
    "asdict": Route("dataclasses.asdict($o)[$n]"),
    "astuple": Route("dataclasses.astuple($o)[-1]"),
    "fields": Route("getattr($o, dataclasses.fields($o)[-1].name)"),
    "dataclass repr": Route("float(repr($o).split('=')[-1][:-1])", leaf="number"),
    "named tuple": Route("$o._asdict()[$n]"),
    "named tuple unpacked": Route("[*$o][-1]"),
    "new of a class": Route(
        "fresh($o).$k", setup="def fresh(o):\n    c = object.__new__(type(o))\n"
        "    c.__dict__.update(o.__dict__)\n    return c"),
    # by patterns
    "match class": Route(
        "r0", "match $o:\n    case object($k=r0):\n        pass\n    case _:\n        r0 = 0.25"),
    "match a number": Route(
        "r0", "match $o:\n    case object($k=float(r0)):\n        pass\n    case _:\n        r0 = 0.25",
        leaf="number"),
    "match by position": Route(
        "r0", "match $o:\n    case Cfg(r0):\n        pass\n    case _:\n        r0 = 0.25",
        methods="__match_args__ = ('$k',)"),
    "match a mapping": Route(
        "r0", "match {'a': getattr($o, $n)}:\n    case {'a': r0}:\n        pass"),
    # by text
    "format of a field": Route("float('{0.$k}'.format($o))", leaf="number"),
    "format of a name": Route("float('{o.$k}'.format(o=$o))", leaf="number"),
    "format of a computed field": Route(
        "float(('{0.' + $n + '}').format($o))", leaf="number"),
    "format map": Route("float('{$k}'.format_map(vars($o)))", leaf="number"),
    "percent of vars": Route("float('%($k)s' % vars($o))", leaf="number"),
    "template": Route(
        "float(string.Template(chr(36) + '{$k}').substitute(vars($o)))", leaf="number"),
    "json": Route("json.loads(json.dumps(vars($o)))[$n]", leaf="number"),
    "json default": Route("json.loads(json.dumps($o, default=vars))[$n]", leaf="number"),
    "length of text": Route("float(len(str($o)))", leaf="number"),
    "length of repr": Route("float(len(repr($o)))", leaf="number"),
    "length of f-string": Route("float(len(f'{$o!r}'))", leaf="number"),
    "text in": Route("(2.0 if 'st=0.5' in repr($o) else 3.0)", leaf="number"),
    "crc": Route("float(zlib.crc32(repr($o).encode()) % 1000)", leaf="number"),
    "__format__": _dunder(
        "float(f'{$o:k}')", "def __format__(self, spec):\n    return str($inner)"),
    "__format__ by format": _dunder(
        "float(format($o, 'k'))", "def __format__(self, spec):\n    return str($inner)"),
    "__str__": _dunder("float(str($o))", "def __str__(self):\n    return str($inner)"),
    "__str__ by f-string": _dunder("float(f'{$o}')", "def __str__(self):\n    return str($inner)"),
    "__str__ by percent": _dunder("float('%s' % $o)", "def __str__(self):\n    return str($inner)"),
    "__str__ by map": _dunder(
        "float([*map(str, [$o])][0])", "def __str__(self):\n    return str($inner)"),
    "__str__ by join": _dunder(
        "float(''.join(str(o) for o in [$o]))", "def __str__(self):\n    return str($inner)"),
    "__str__ by print": _dunder(
        "float(printed($o))", "def __str__(self):\n    return str($inner)"),
    "__repr__": _dunder("float(repr($o))", "def __repr__(self):\n    return str($inner)"),
    "__repr__ by f-string": _dunder(
        "float(f'{$o!r}')", "def __repr__(self):\n    return str($inner)"),
    "__repr__ of a list": _dunder(
        "float(repr([$o])[1:-1])", "def __repr__(self):\n    return str($inner)"),
    # by other special methods
    "__float__": _dunder("float($o)", "def __float__(self):\n    return float($inner)"),
    "__float__ by math": _dunder("math.sin($o)", "def __float__(self):\n    return float($inner)"),
    "__int__": _dunder("float(int($o))", "def __int__(self):\n    return int($inner)"),
    "__index__": _dunder(
        "[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0][$o]",
        "def __index__(self):\n    return int($inner)"),
    "__bool__": _dunder(
        "(2.0 if $o else 3.0)", "def __bool__(self):\n    return $inner > 2.5"),
    "__len__": _dunder("float(len($o))", "def __len__(self):\n    return int($inner)"),
    "__hash__": _dunder("float(hash($o) % 97)", "def __hash__(self):\n    return hash($inner)"),
    "__eq__": _dunder(
        "(2.0 if $o == 2.0 else 3.0)",
        "__hash__ = None\ndef __eq__(self, other):\n    return $inner == other"),
    "__eq__ by in": _dunder(
        "(2.0 if 2.0 in [$o] else 3.0)",
        "__hash__ = None\ndef __eq__(self, other):\n    return $inner == other"),
    "__eq__ by index": _dunder(
        "float([$o, 2.0].index(2.0) + 1)",
        "__hash__ = None\ndef __eq__(self, other):\n    return $inner == other"),
    "__lt__": _dunder(
        "(2.0 if $o < 2.5 else 3.0)", "def __lt__(self, other):\n    return $inner < other"),
    "__lt__ by min": _dunder(
        "(3.0 if type(min(2.5, $o)) is float else 2.0)",
        "def __lt__(self, other):\n    return $inner < other"),
    "__contains__": _dunder(
        "(2.0 if 2.0 in $o else 3.0)", "def __contains__(self, v):\n    return v == $inner"),
    "__getitem__": _dunder("$o['a']", "def __getitem__(self, n):\n    return $inner"),
    "__getitem__ by name": _dunder("$o[$n]", "def __getitem__(self, n):\n    return getattr(self, n)"),
    "__iter__": _dunder("sum($o)", "def __iter__(self):\n    yield $inner"),
    "__iter__ by unpacking": _dunder("[*$o][0]", "def __iter__(self):\n    return iter([$inner])"),
    "__next__": _dunder("next($o)", "def __next__(self):\n    return $inner"),
    "__mul__": _dunder("$o * 2.0", "def __mul__(self, other):\n    return other * $inner"),
    "__rmul__": _dunder("2.0 * $o", "def __rmul__(self, other):\n    return other * $inner"),
    "__matmul__": _dunder("$o @ 2.0", "def __matmul__(self, other):\n    return other * $inner"),
    "__neg__": _dunder("-$o", "def __neg__(self):\n    return -$inner"),
    "__abs__": _dunder("abs($o)", "def __abs__(self):\n    return $inner"),
    "__round__": _dunder("round($o)", "def __round__(self):\n    return $inner"),
    "__enter__": _dunder(
        "entered($o)", "def __enter__(self):\n    return $inner\ndef __exit__(self, *_):\n    pass"),
    "__array__": _dunder(
        "float(np.asarray($o)[0])",
        "def __array__(self, *_, **__):\n    return np.array([$inner])"),
    "__reversed__": _dunder("next(reversed($o))", "def __reversed__(self):\n    yield $inner"),
    "__getattr__": _dunder(
        "$o.made_up", "def __getattr__(self, n):\n    if n == 'made_up':\n        return $inner\n"
        "    raise AttributeError(n)"),
    "__getattr__ by name": _dunder(
        "getattr($o, 'made' + '_up')",
        "def __getattr__(self, n):\n    if n == 'made_up':\n        return $inner\n"
        "    raise AttributeError(n)"),
    "__getattribute__": _dunder(
        "$o.made_up",
        "def __getattribute__(self, n):\n"
        "    return object.__getattribute__(self, '$k' if n == 'made_up' else n)"),
    "__copy__": _dunder("copy.copy($o)", "def __copy__(self):\n    return $inner"),
    "__reduce__": _dunder(
        "pickle.loads(pickle.dumps($o))", "def __reduce__(self):\n    return float, ($inner,)"),
    "__dir__": _dunder("float(len(dir($o)))", "def __dir__(self):\n    return ['a'] * int($inner)"),
    "__instancecheck__": _dunder(
        "(2.0 if isinstance(1, $o) else 3.0)",
        "def __instancecheck__(self, x):\n    return $inner > 2.5"),
    "__fspath__": _dunder("float(len(os.fspath($o)))",
        "def __fspath__(self):\n    return 'a' * int($inner)"),
    "__length_hint__": _dunder("float(operator.length_hint($o))",
        "def __length_hint__(self):\n    return int($inner)"),
    "__sizeof__": _dunder("float($o.__sizeof__())", "def __sizeof__(self):\n    return int($inner)"),
    "__missing__": _dunder("$o['none']", "def __missing__(self, n):\n    return $inner"),
    # by methods
    "method": _method("$o.run(x)", "run"),
    "method by name": _method("getattr($o, 'ru' + 'n')(x)", "run"),
    "method by f-string": _method("getattr($o, f'run_{MODE}')(x)", "run_a", setup="MODE = 'a'"),
    "method by a loop": _method("[getattr($o, f'run{j}')(x) for j in range(1)][0]", "run0"),
    "methodcaller": _method("operator.methodcaller('run', x)($o)", "run"),
    "methodcaller by name": _method("operator.methodcaller('ru' + 'n', x)($o)", "run"),
    "methodcaller global": _method("CALL($o)(x)", "run", "", "CALL = operator.attrgetter('run')"),
    "method of the class": _method("type($o).run($o, x)", "run"),
    "method of the class by name": _method("getattr(type($o), 'run')($o, x)", "run"),
    "method of vars": _method("vars(type($o))['ru' + 'n']($o, x)", "run"),
    "method bound by hand": _method("type($o).run.__get__($o)(x)", "run"),
    "method as MethodType": _method("types.MethodType(type($o).run, $o)(x)", "run"),
    "method by a method": _method(
        "$o.act('run')(x)", "run", "def act(self, n):\n    return getattr(self, n)"),
    "method by dispatch": _method(
        "$o.act('n', x)", "act_n", "def act(self, n, x):\n    return getattr(self, 'act_' + n)(x)"),
    "method by a table": _method(
        "$o.act(x)", "run", "def act(self, x):\n    return {'a': self.run}['a'](x)"),
    "method by map": _method("[*map($o.run, [x])][0]", "run"),
    "method by partial": _method("functools.partial($o.run, x)()", "run"),
    "method by a property": _method(
        "$o.act(x)", "run", "@property\ndef act(self):\n    return self.run"),
    "partialmethod": _method("$o.act(x)", "run", "act = functools.partialmethod(run)"),
    "method with wraps": _method(
        "$o.run(x)", "run",
        "def wrapping(f):\n    @functools.wraps(f)\n    def inner(*a):\n        return f(*a)\n"
        "    return inner\nrun = wrapping(run)\ndel wrapping"),
    "method of super": _method(
        "Further($o).go(x)", "run",
        "", "class Further:\n    def __init__(self, o):\n        self.o = o\n"
        "    def go(self, x):\n        return super(type(self.o), self.o).__thisclass__.run(self.o, x)"),
    "__call__": _method("$o(x)", "__call__"),
    "__call__ by map": _method("[*map($o, [x])][0]", "__call__"),
    "__call__ by attribute": _method("$o.__call__(x)", "__call__"),
    "__call__ by partial": _method("functools.partial($o)(x)", "__call__"),
    "__call__ by reduce": _method("functools.reduce(lambda y, g: g(y), [$o], x)", "__call__"),
    "__pow__ with x": _method("$o ** x", "__pow__"),
    "__matmul__ with x": _method("$o @ x", "__matmul__"),
    "singledispatchmethod": Route(
        "$o.act('text')",
        methods="@functools.singledispatchmethod\ndef act(self, a):\n    return 0.25\n"
        "@act.register\ndef _(self, a: str):\n    return self.$k"),
    "static method": Route(
        "$o.act($o)", methods="@staticmethod\ndef act(o):\n    return o.$k"),
    "class method": Route(
        "$o.act()", methods="@classmethod\ndef act(cls):\n    return cls.$k"),
    "class method by name": Route(
        "getattr($o, 'a' + 'ct')()",
        methods="@classmethod\ndef act(cls):\n    return getattr(cls, '$head' + '$tail')"),
    "property": Route("$o.slope", methods="@property\ndef slope(self):\n    return self.$k"),
    "property by name": Route(
        "getattr($o, 'slo' + 'pe')", setup="TEXT = '$k'",
        methods="@property\ndef slope(self):\n    return $inner"),
    "property of the class": Route(
        "type($o).slope.fget($o)", methods="@property\ndef slope(self):\n    return self.$k"),
    "cached property": Route(
        "$o.slope", methods="@functools.cached_property\ndef slope(self):\n    return self.$k"),
    "class getitem": Route(
        "type($o)['a']", methods="def __class_getitem__(cls, n):\n    return cls.$k"),
    "init subclass": Route("type($o).__mro__[0].$k"),
    "weak reference": Route("weakref.ref($o)().$k"),
    "weak proxy": Route("getattr(weakref.proxy($o), $n)"),
    "context": Route(
        "entered(holding($o))",
        setup="@contextlib.contextmanager\ndef holding(o):\n    yield o.$k"),
    "raised": Route(
        "r0", "try:\n    raise Found($o)\nexcept Found as found:\n    r0 = found.args[0].$k",
        setup="class Found(Exception):\n    pass"),
    "operator of a global": Route("READ($o)", setup="def READ(o):\n    return o.$k"),
    "exec": Route(
        "scope['r0']", "scope = {'o': $o}\nexec('r0 = o.$k', scope)"),
    "eval": Route("eval('o.$k', {'o': $o})"),
    "of a parent class": Route(
        "Reader.of($o)", setup="class Reader:\n    @staticmethod\n    def of(o):\n        return o.$k"),
    "by a class made inside": Route(
        "Made.of", "class Made:\n    of = getattr($o, $n)"),
    "by a decorator": Route(
        "READ($o)", setup="def through(f):\n    return lambda *a: f(*a)\n"
        "@through\ndef READ(o):\n    return getattr(o, '$head' + '$tail')"),
    "by an object that calls": Route(
        "READ($o)", setup="class Reads:\n    def __init__(self, n):\n        self.n = n\n"
        "    def __call__(self, o):\n        return getattr(o, self.n)\nREAD = Reads('$k')"),
    "by a descriptor": Route(
        "View($o).slope",
        setup="class Reads:\n    def __init__(self, n):\n        self.n = n\n"
        "    def __get__(self, owner, kind=None):\n        return getattr(owner.o, self.n)\n"
        "class View:\n    slope = Reads('$k')\n    def __init__(self, o):\n        self.o = o"),
    "by delegation": Route(
        "View($o).$k",
        setup="class View:\n    def __init__(self, o):\n        self.__dict__['o'] = o\n"
        "    def __getattr__(self, n):\n        return getattr(self.o, n)"),
    "by two names": Route("getattr($o, $n) if x is not None else $o.first"),
    "equality of objects": Route("(2.0 if $o == make() else 3.0)", leaf="number"),
    "equality of copies": Route("(2.0 if vars($o) == {'first': 0.5, '$k': 2.0} else 3.0)", leaf="number"),
    "object in a list": Route("(2.0 if $o in [make()] else 3.0)", leaf="number"),
    "setdefault": Route("vars($o).setdefault($n, 0.25)"),
    "order of names": Route("(2.0 if [*vars($o)][0] == 'first' else 3.0)", leaf="number"),
}  # fmt: skip

#: Helper functions that some routes call.
HELPERS = {
    "printed(": "def printed(o):\n    file = io.StringIO()\n    print(o, file=file)\n"
    "    return file.getvalue()",
    "entered(": "def entered(o):\n    with o as found:\n        return found",
}

# Objects ----------------------------------------------------------------------------------------

_CLASS = """class Cfg$bases:
    other = 0.75
    def __init__(self):
        self.first = 0.5
        setattr(self, '$k', $v)
$methods"""
_BARE = "class Cfg$bases:\n    other = 0.75\n    first = 0.5\n$methods"
_EMPTY = "setup(Cfg)\n"

#: Objects: definitions of the module, and the body of ``make``.
OBJECTS: dict[str, tuple[str, str]] = {
    "instance": (_CLASS.replace("$bases", ""), "return Cfg()"),
    "instance of a derived class": (
        _CLASS.replace("class Cfg$bases", "class Base") + "\nclass Cfg(Base):\n    pass",
        "return Cfg()"),
    "attribute of the class": (
        _BARE.replace("$bases", "") + "\nsetattr(Cfg, '$k', $v)", "return Cfg()"),
    "attribute of the base class": (
        "class Base:\n    pass\nsetattr(Base, '$k', $v)\n" + _BARE.replace("$bases", "(Base)"),
        "return Cfg()"),
    "slots": (
        "class Cfg:\n    __slots__ = ('first', '$k', '__weakref__')\n    def __init__(self):\n"
        "        self.first = 0.5\n        self.$k = $v\n$methods", "return Cfg()"),
    "slots of the base": (
        "class Base:\n    __slots__ = ('$k',)\n" + _CLASS.replace("$bases", "(Base)"),
        "return Cfg()"),
    "dataclass": (
        "@dataclasses.dataclass\nclass Cfg:\n    first: float\n    $k: typing.Any\n$methods",
        "return Cfg(0.5, $v)"),
    "frozen dataclass": (
        "@dataclasses.dataclass(frozen=True)\nclass Cfg:\n    first: float\n    $k: typing.Any\n"
        "$methods", "return Cfg(0.5, $v)"),
    "dataclass with slots": (
        "@dataclasses.dataclass(slots=True)\nclass Cfg:\n    first: float\n    $k: typing.Any\n"
        "$methods", "return Cfg(0.5, $v)"),
    "dataclass with defaults": (
        "@dataclasses.dataclass(eq=False)\nclass Cfg:\n    first: float = 0.5\n"
        "    $k: typing.Any = dataclasses.field(default_factory=lambda: $v)\n$methods",
        "return Cfg()"),
    "make_dataclass": (
        "Cfg = dataclasses.make_dataclass('Cfg', ['first', '$k'])", "return Cfg(0.5, $v)"),
    "make_dataclass with slots": (
        "Cfg = dataclasses.make_dataclass('Cfg', ['first', '$k'], slots=True)",
        "return Cfg(0.5, $v)"),
    "make_dataclass, frozen": (
        "Cfg = dataclasses.make_dataclass('Cfg', ['first', '$k'], frozen=True)",
        "return Cfg(0.5, $v)"),
    "make_dataclass with a namespace": (
        "Cfg = dataclasses.make_dataclass('Cfg', ['first', '$k'], namespace={\n"
        "    'run': lambda self, x: x * self.$k})", "return Cfg(0.5, $v)"),
    "new_class": (
        "Cfg = types.new_class('Cfg')", "o = Cfg()\no.first = 0.5\nsetattr(o, '$k', $v)\nreturn o"),
    "new_class with attributes": (
        "Cfg = types.new_class('Cfg', (), {}, lambda ns: ns.update({'first': 0.5, '$k': $v}))",
        "return Cfg()"),
    "type": (
        "Cfg = type('Cfg', (), {'first': 0.5})", "o = Cfg()\nsetattr(o, '$k', $v)\nreturn o"),
    "type with a method": (
        "Cfg = type('Cfg', (), {'run': lambda self, x: x * self.$k})",
        "o = Cfg()\no.first = 0.5\nsetattr(o, '$k', $v)\nreturn o"),
    "class made by exec": (
        "SCOPE = {}\nexec('''class Cfg:\n    first = 0.5\n    def run(self, x):\n"
        "        return x * self.$k\n''', SCOPE)\nCfg = SCOPE['Cfg']",
        "o = Cfg()\nsetattr(o, '$k', $v)\nreturn o"),
    "class with the name of a library's module": (
        _CLASS.replace("$bases", "") + "\nCfg.__module__ = 'random'", "return Cfg()"),
    "class with the name of a library's class": (
        _CLASS.replace("$bases", "")
        + "\nCfg.__module__, Cfg.__qualname__, Cfg.__name__ = 'random', 'Random', 'Random'",
        "return Cfg()"),
    "local class": (
        "def classes():\n"
        + "\n".join("    " + line for line in _CLASS.replace("$bases", "").split("\n")[:-1])
        + "\n    return Cfg\nCfg = classes()", "return Cfg()"),
    "SimpleNamespace": ("", "return types.SimpleNamespace(**{'first': 0.5, '$k': $v})"),
    "SimpleNamespace, derived": (
        "class Cfg(types.SimpleNamespace):\n    pass\n$methods",
        "return Cfg(**{'first': 0.5, '$k': $v})"),
    "argparse.Namespace": ("", "return argparse.Namespace(**{'first': 0.5, '$k': $v})"),
    "named tuple": (
        "class Cfg(typing.NamedTuple):\n    first: float\n    $k: typing.Any\n$methods",
        "return Cfg(0.5, $v)"),
    "namedtuple": ("Cfg = collections.namedtuple('Cfg', ['first', '$k'])", "return Cfg(0.5, $v)"),
    "dict with attributes": (_CLASS.replace("$bases", "(dict)"), "return Cfg()"),
    "dict of attributes": (
        "class Cfg(dict):\n    __setattr__ = dict.__setitem__\n    def __getattr__(self, n):\n"
        "        try:\n            return self[n]\n        except KeyError:\n"
        "            raise AttributeError(n)\n    def __delattr__(self, n):\n        del self[n]\n"
        "$methods", "return Cfg(**{'first': 0.5, '$k': $v})"),
    "dict that is its own attributes": (
        "class Cfg(dict):\n    def __init__(self, **given):\n        super().__init__(given)\n"
        "        self.__dict__ = self\n$methods", "return Cfg(**{'first': 0.5, '$k': $v})"),
    "list with attributes": (_CLASS.replace("$bases", "(list)"), "return Cfg()"),
    "float with attributes": (_CLASS.replace("$bases", "(float)"), "return Cfg()"),
    "str with attributes": (_CLASS.replace("$bases", "(str)"), "return Cfg()"),
    "exception": (_CLASS.replace("$bases", "(Exception)"), "return Cfg()"),
    "array with attributes": (
        "class Cfg(np.ndarray):\n    other = 0.75\n$methods",
        "o = np.zeros(2).view(Cfg)\no.first = 0.5\nsetattr(o, '$k', $v)\nreturn o"),
    "enumeration": (
        "class Cfg(enum.Enum):\n    A = 1\n$methods",
        "o = Cfg.A\no.first = 0.5\nsetattr(o, '$k', $v)\nreturn o"),
    "Module": (
        "class Cfg(nn.Module):\n    other = 0.75\n    def __init__(self):\n"
        "        super().__init__()\n        self.first = 0.5\n        setattr(self, '$k', $v)\n"
        "$methods", "return Cfg()"),
    "layer with attributes": (
        "", "o = nn.Linear(1, 1, rng=0)\no.first = 0.5\nsetattr(o, '$k', $v)\nreturn o"),
    "Value with attributes": (
        "", "o = Parameter(3.0)\no.first = 0.5\nsetattr(o, '$k', $v)\nreturn o"),
    "class": ("", "class Cfg:\n    first = 0.5\nsetattr(Cfg, '$k', $v)\nreturn Cfg"),
    "class with methods": (
        "class Meta(type):\n    other = 0.75\n$methods",
        "class Cfg(metaclass=Meta):\n    first = 0.5\nsetattr(Cfg, '$k', $v)\nreturn Cfg"),
    "derived class": (
        "class Base:\n    first = 0.5\nsetattr(Base, '$k', $v)",
        "class Cfg(Base):\n    pass\nreturn Cfg"),
    "metaclass attribute": (
        "class Meta(type):\n    first = 0.5\n$methods\nsetattr(Meta, '$k', $v)",
        "class Cfg(metaclass=Meta):\n    pass\nreturn Cfg"),
    "abstract class": (
        _CLASS.replace("$bases", "(abc.ABC)"), "return Cfg()"),
    "generic class": (
        "T = typing.TypeVar('T')\n" + _CLASS.replace("$bases", "(typing.Generic[T])"),
        "return Cfg[float]()"),
    "generic alias": (
        "T = typing.TypeVar('T')\nclass Cfg(typing.Generic[T]):\n    first = 0.5\n$methods\n"
        "setattr(Cfg, '$k', $v)", "return Cfg[float]"),
    "protocol": (
        "class Proto(typing.Protocol):\n    first: float\n" + _CLASS.replace("$bases", "(Proto)"),
        "return Cfg()"),
    "function": (
        "", "def o(x):\n    return x\no.first = 0.5\nsetattr(o, '$k', $v)\nreturn o"),
    "lambda": ("", "o = lambda x: x\no.first = 0.5\nsetattr(o, '$k', $v)\nreturn o"),
    "partial": (
        "", "o = functools.partial(abs)\no.first = 0.5\nsetattr(o, '$k', $v)\nreturn o"),
    "compiled function": (
        "", "o = jit(lambda x: x * 2.0)\no.first = 0.5\nsetattr(o, '$k', $v)\nreturn o"),
    "cached function": (
        "", "o = functools.lru_cache(lambda x: x)\no.first = 0.5\nsetattr(o, '$k', $v)\nreturn o"),
    "singledispatch function": (
        "", "o = functools.singledispatch(lambda x: x)\no.first = 0.5\nsetattr(o, '$k', $v)\n"
        "return o"),
    "module": (
        "", "o = types.ModuleType('settings')\no.first = 0.5\nsetattr(o, '$k', $v)\nreturn o"),
    "module named like a library's": (
        "", "o = types.ModuleType('random')\no.first = 0.5\nsetattr(o, '$k', $v)\nreturn o"),
    "module of a derived class": (
        "class Cfg(types.ModuleType):\n    other = 0.75\n$methods",
        "o = Cfg('settings')\no.first = 0.5\nsetattr(o, '$k', $v)\nreturn o"),
    "property": (
        "class Cfg:\n    first = 0.5\n    def __init__(self):\n        self._held = $v\n"
        "    @property\n    def $k(self):\n        return self._held\n    @$k.setter\n"
        "    def $k(self, v):\n        self._held = v\n    @$k.deleter\n    def $k(self):\n"
        "        self._held = 0.125\n$methods", "return Cfg()"),
    "property of a computed name": (
        "class Cfg:\n    first = 0.5\n    def __init__(self):\n        self._held = $v\n"
        "    @property\n    def $k(self):\n        return getattr(self, '_he' + 'ld')\n"
        "    @$k.setter\n    def $k(self, v):\n        self._held = v\n$methods", "return Cfg()"),
    "descriptor": (
        "class Held:\n    def __set_name__(self, owner, n):\n        self.n = '_' + n\n"
        "    def __get__(self, o, kind=None):\n        return o.__dict__[self.n]\n"
        "    def __set__(self, o, v):\n        o.__dict__[self.n] = v\n"
        "class Cfg:\n    first = 0.5\n    $k = Held()\n    def __init__(self):\n"
        "        self.$k = $v\n$methods", "return Cfg()"),
    "descriptor that holds the value": (
        "class Held:\n    def __get__(self, o, kind=None):\n        return self.v\n"
        "    def __set__(self, o, v):\n        self.v = v\n"
        "class Cfg:\n    first = 0.5\n    $k = Held()\n$methods",
        "o = Cfg()\no.$k = $v\nreturn o"),
    "descriptor of a weak dict": (
        "class Held:\n    held = weakref.WeakKeyDictionary()\n    def __get__(self, o, kind=None):\n"
        "        return self.held[o]\n    def __set__(self, o, v):\n        self.held[o] = v\n"
        "class Cfg:\n    first = 0.5\n    $k = Held()\n$methods",
        "o = Cfg()\no.$k = $v\nreturn o"),
    "__getattr__": (
        "class Cfg:\n    first = 0.5\n    def __init__(self):\n"
        "        self.__dict__['held'] = {'$k': $v}\n    def __getattr__(self, n):\n"
        "        try:\n            return self.__dict__['held'][n]\n        except KeyError:\n"
        "            raise AttributeError(n)\n    def __setattr__(self, n, v):\n"
        "        self.__dict__['held'][n] = v\n    def __delattr__(self, n):\n"
        "        del self.__dict__['held'][n]\n$methods", "return Cfg()"),
    "__getattr__ of another object": (
        "class Cfg:\n    first = 0.5\n    def __init__(self):\n"
        "        self.__dict__['held'] = types.SimpleNamespace(**{'$k': $v})\n"
        "    def __getattr__(self, n):\n        return getattr(self.__dict__['held'], n)\n"
        "    def __setattr__(self, n, v):\n        setattr(self.__dict__['held'], n, v)\n"
        "    def __delattr__(self, n):\n        delattr(self.__dict__['held'], n)\n$methods",
        "return Cfg()"),
    "__getattribute__": (
        "class Cfg:\n    first = 0.5\n    def __init__(self):\n        self.held = $v\n"
        "    def __getattribute__(self, n):\n"
        "        return super().__getattribute__('held' if n == '$k' else n)\n"
        "    def __setattr__(self, n, v):\n"
        "        super().__setattr__('held' if n == '$k' else n, v)\n$methods", "return Cfg()"),
    "cached property": (
        "class Cfg:\n    first = 0.5\n    @functools.cached_property\n    def $k(self):\n"
        "        return $v\n$methods", "o = Cfg()\no.$k\nreturn o"),
    "equal to all": (
        _CLASS.replace("$bases", "") + "\nCfg.__eq__ = lambda self, o: True\nCfg.__hash__ = lambda self: 1",
        "return Cfg()"),
    "unequal to itself": (
        _CLASS.replace("$bases", "") + "\nCfg.__eq__ = lambda self, o: False\nCfg.__hash__ = None",
        "return Cfg()"),
    "false": (_CLASS.replace("$bases", "") + "\nCfg.__len__ = lambda self: 0", "return Cfg()"),
    "raises where it is compared": (
        "def raises(*a):\n    raise RuntimeError\n" + _CLASS.replace("$bases", "")
        + "\nCfg.__eq__ = Cfg.__lt__ = Cfg.__bool__ = raises\nCfg.__hash__ = lambda self: 1",
        "return Cfg()"),
    "raises where it is printed": (
        "def raises(*a):\n    raise RuntimeError\n" + _CLASS.replace("$bases", "")
        + "\nCfg.__repr__ = Cfg.__str__ = raises", "return Cfg()"),
    "raises where it is copied": (
        "def raises(*a):\n    raise RuntimeError\n" + _CLASS.replace("$bases", "")
        + "\nCfg.__copy__ = Cfg.__deepcopy__ = Cfg.__reduce_ex__ = raises", "return Cfg()"),
    "of another __class__": (
        _CLASS.replace("$bases", "") + "\nclass Said:\n    pass\nCfg.__class__ = property(lambda self: Said)",
        "return Cfg()"),
    "that says to be a float": (
        _CLASS.replace("$bases", "") + "\nCfg.__class__ = property(lambda self: float)",
        "return Cfg()"),
    "of another __dict__": (
        _CLASS.replace("$bases", "") + "\nCfg.__dict__ = property(lambda self: {})", "return Cfg()"),
    "slots and a dict": (
        "class Cfg:\n    __slots__ = ('$k', '__dict__', '__weakref__')\n    def __init__(self):\n"
        "        self.first = 0.5\n        self.$k = $v\n$methods", "return Cfg()"),
    "slots of two classes": (
        "class Base:\n    __slots__ = ('$k',)\nclass Cfg(Base):\n    __slots__ = ('first', '__weakref__')\n"
        "    def __init__(self):\n        self.first = 0.5\n        self.$k = $v\n$methods",
        "return Cfg()"),
    "attribute that hides one of the class": (
        _CLASS.replace("$bases", "") + "\nsetattr(Cfg, '$k', 0.25)", "return Cfg()"),
    "descriptor of the class that is hidden": (
        "class Held:\n    def __get__(self, o, kind=None):\n        return 4.0\n"
        + _CLASS.replace("$bases", "").replace("    other", "    $k = Held()\n    other"),
        "return Cfg()"),
    "mixed bases": (
        "class Base:\n    first = 0.5\nclass More:\n    pass\nsetattr(More, '$k', $v)\n"
        "class Cfg(Base, More):\n    other = 0.75\n$methods", "return Cfg()"),
    "deep bases": (
        "class Base:\n    first = 0.5\nsetattr(Base, '$k', $v)\nclass One(Base):\n    pass\n"
        "class Two(One):\n    pass\nclass Cfg(Two):\n    other = 0.75\n$methods", "return Cfg()"),
    "property of the base": (
        "class Base:\n    first = 0.5\n    @property\n    def $k(self):\n        return self._held\n"
        "    @$k.setter\n    def $k(self, v):\n        self._held = v\n"
        "class Cfg(Base):\n    @property\n    def $k(self):\n        return super().$k\n"
        "    @$k.setter\n    def $k(self, v):\n        self._held = v\n$methods",
        "o = Cfg()\no.$k = $v\nreturn o"),
    "derived dataclass": (
        "@dataclasses.dataclass\nclass Base:\n    first: float = 0.5\n@dataclasses.dataclass\n"
        "class Cfg(Base):\n    $k: typing.Any = None\n$methods", "return Cfg(0.5, $v)"),
    "class variable of a dataclass": (
        "@dataclasses.dataclass\nclass Cfg:\n    $k: typing.ClassVar[typing.Any] = $v\n"
        "    first: float = 0.5\n$methods", "return Cfg()"),
    "keyword-only dataclass": (
        "@dataclasses.dataclass(kw_only=True, order=True)\nclass Cfg:\n    first: float\n"
        "    $k: typing.Any\n$methods", "return Cfg(first=0.5, $k=$v)"),
    "typed dict": (
        "class Cfg(typing.TypedDict):\n    first: float", "o = types.SimpleNamespace(**Cfg(first=0.5))\n"
        "setattr(o, '$k', $v)\nreturn o"),
    "method object": (
        _CLASS.replace("$bases", "") + "\ndef of_cfg(self):\n    return self",
        "of = of_cfg\nof_cfg.first = 0.5\nsetattr(of_cfg, '$k', $v)\nreturn types.MethodType(of_cfg, Cfg())"),
    "coroutine function": (
        "", "async def o():\n    pass\no.first = 0.5\nsetattr(o, '$k', $v)\nreturn o"),
    "closure that holds it": (
        "", "v = $v\ndef o():\n    return v\no.first = 0.5\nsetattr(o, '$k', v)\nreturn o"),
    "module in the system's table": (
        "", "o = types.ModuleType('settings_in_table')\nsys.modules['settings_in_table'] = o\n"
        "o.first = 0.5\nsetattr(o, '$k', $v)\nreturn o"),
    "module in the table of a library's name": (
        "", "o = types.ModuleType('chunk')\nsys.modules['chunk'] = o\n"
        "o.first = 0.5\nsetattr(o, '$k', $v)\nreturn o"),
    "proxy": (
        "KEPT = []\n" + _CLASS.replace("$bases", ""),
        "KEPT.append(Cfg())\nreturn weakref.proxy(KEPT[-1])"),
}  # fmt: skip

#: Objects of libraries, to which a user adds attributes.
OF_LIBRARIES = [
    "random.Random(0)", "collections.UserDict()", "collections.UserList([1.0])",
    "collections.UserString('abc')", "io.StringIO('abc')", "io.BytesIO(b'abc')",
    "collections.Counter('ab')", "collections.OrderedDict(a=1)", "logging.Logger('of a user')",
    "threading.Event()", "threading.local()", "string.Formatter()", "json.JSONEncoder()",
    "queue.Queue()", "email.message.Message()", "textwrap.TextWrapper()", "contextlib.ExitStack()",
    "calendar.Calendar()", "pprint.PrettyPrinter()", "unittest.TestCase()",
    "types.MethodType", "configparser.ConfigParser()", "argparse.ArgumentParser()",
    "string.Template('a')", "decimal.Context()", "fractions.Fraction(1)", "ast.Name(id='a')",
    "collections.ChainMap({'a': 1})", "functools.partial(max, 1.0)", "weakref.WeakKeyDictionary()",
    "weakref.WeakValueDictionary()", "enum.auto()", "dataclasses.field()", "csv.excel()",
    "html.parser.HTMLParser()", "sched.scheduler()", "timeit.Timer()", "pathlib.PurePath('a')",
    "codecs.IncrementalDecoder()", "shlex.shlex('a')", "graphlib.TopologicalSorter()",
    "np.poly1d([1.0, 2.0])", "np.random.RandomState(0)", "np.vectorize(abs)",
    "concurrent.futures.ThreadPoolExecutor(1)", "threading.Thread()", "multiprocessing.Value",
    "argparse.Namespace(z=1)", "types.SimpleNamespace(z=1)", "inspect.Parameter('a', 1)",
    "typing.TypeVar('T')", "abc.ABC()", "numbers.Number()", "Exception('a')", "KeyError('a')",
    "optparse.Values()", "cmd.Cmd()", "copy.Error()", "gettext.NullTranslations()",
    "xml.etree.ElementTree.ElementTree()", "urllib.request.Request('http://a')",
    "http.cookies.SimpleCookie()", "mailbox.Message()", "zipfile.ZipInfo()", "tarfile.TarInfo()",
    "optim.SGD([Value(1.0)], lr=0.1)", "nn.MLP(1, [1], rng=0)",
]  # fmt: skip
for _made in OF_LIBRARIES:
    OBJECTS[_made.split("(")[0]] = (
        "",
        f"o = {_made}\no.first = 0.5\nsetattr(o, '$k', $v)\nreturn o",
    )
    if "(" in _made and not _made.startswith(("typing", "np.", "threading.T", "dataclasses")):
        OBJECTS["derived from " + _made.split("(")[0]] = (
            f"class Cfg({_made.split('(')[0]}):\n    other = 0.75\n$methods",
            f"o = Cfg({_made.partition('(')[2]}\no.first = 0.5\nsetattr(o, '$k', $v)\nreturn o",
        )

# Places -----------------------------------------------------------------------------------------


def _place(
    name: str, around: str = "O = make()", sets: str = "O", call: str = "compiled(x)"
) -> str:
    """Return a place of a global by which ``f(x)`` reads the object."""
    put = (
        f"def put(new):\n    global O\n    {sets} = new\n" if sets else "def put(new):\n    pass\n"
    )
    return (
        f"{around}\ndef f({name}):\n$body4\ncompiled = $form(f)\n"
        f"def call(x):\n    return {call}\ndef get():\n    return {sets or 'O'}\n{put}"
    )


#: Places of an object: the expression by which a function reads it, and definitions.
PLACES: dict[str, tuple[str, str]] = {
    "global": ("O", _place("x")),
    "closure": (
        "o", "def build():\n    o = make()\n    def f(x):\n$body8\n    def get():\n        return o\n"
        "    def put(new):\n        nonlocal o\n        o = new\n    return f, get, put\n"
        "f, get, put = build()\ncompiled = $form(f)\ndef call(x):\n    return compiled(x)\n"),
    "closure of a helper": (
        "help_()", "def build():\n    o = make()\n    def help_():\n        return o\n"
        "    def put(new):\n        nonlocal o\n        o = new\n    return help_, put\n"
        "help_, put = build()\nget = help_\ndef f(x):\n$body4\ncompiled = $form(f)\n"
        "def call(x):\n    return compiled(x)\n"),
    "default": ("o", _place("x, o=O", sets="")),
    "keyword default": ("o", _place("x, *, o=O", sets="")),
    "argument": ("o", _place("x, o", call="compiled(x, O)")),
    "argument by keyword": ("o", _place("x, *, o", call="compiled(x, o=O)")),
    "argument in a list": ("os[0]", _place("x, os", call="compiled(x, [O])")),
    "argument in a tuple": ("os[1]", _place("x, os", call="compiled(x, (1.0, O))")),
    "argument in a dict": ("d['o']", _place("x, d", call="compiled(x, {'o': O})")),
    "argument in an object": (
        "h.o", _place("x, h", call="compiled(x, types.SimpleNamespace(o=O))")),
    "argument in a dataclass": (
        "h.o", _place("x, h", call="compiled(x, Held(O))", around=(
            "@dataclasses.dataclass\nclass Held:\n    o: typing.Any\nO = make()"))),
    "argument of many": ("os[0]", _place("x, *os", call="compiled(x, O, 1.0)")),
    "argument of keywords": ("d['o']", _place("x, **d", call="compiled(x, o=O)")),
    "static argument": (
        "o", _place("x, o", call="compiled(x, O)").replace(
            "$form(f)", "jit(f, static_argnums=1)")),
    "self": (
        "self", "O = make()\ncompiled = None\ndef call(x):\n    return O.f(x)\ndef get():\n"
        "    return O\ndef put(new):\n    global O\n    O = new\n"),
    "self of a bound method": (
        "self", "O = make()\ncompiled = $form(O.plain)\ndef call(x):\n    return compiled(x)\n"
        "def get():\n    return O\ndef put(new):\n    pass\n"),
    "self that is called": (
        "self", "O = make()\ncompiled = $form(O)\ndef call(x):\n    return compiled(x)\n"
        "def get():\n    return O\ndef put(new):\n    pass\n"),
    "attribute of self": (
        "self.o", "class Holder:\n    def __init__(self):\n        self.o = make()\n"
        "    def f(self, x):\n$body8\nH = Holder()\ncompiled = $form(H.f)\ndef call(x):\n"
        "    return compiled(x)\ndef get():\n    return H.o\ndef put(new):\n    H.o = new\n"),
    "attribute of self, compiled in the class": (
        "self.o", "class Holder:\n    def __init__(self):\n        self.o = make()\n    @jit\n"
        "    def f(self, x):\n$body8\nH = Holder()\ndef call(x):\n"
        "    return H.f(x)\ndef get():\n    return H.o\ndef put(new):\n    H.o = new\n"),
    "attribute of the class": (
        "self.o", "class Holder:\n    o = make()\n    def f(self, x):\n$body8\nH = Holder()\n"
        "compiled = $form(H.f)\ndef call(x):\n    return compiled(x)\ndef get():\n"
        "    return Holder.o\ndef put(new):\n    Holder.o = new\n"),
    "attribute of the base class": (
        "self.o", "class Base:\n    o = make()\nclass Holder(Base):\n    def f(self, x):\n$body8\n"
        "H = Holder()\ncompiled = $form(H.f)\ndef call(x):\n    return compiled(x)\ndef get():\n"
        "    return Base.o\ndef put(new):\n    Base.o = new\n"),
    "class method": (
        "cls.o", "class Holder:\n    o = make()\n    @classmethod\n    def f(cls, x):\n$body8\n"
        "compiled = $form(Holder.f)\ndef call(x):\n    return compiled(x)\ndef get():\n"
        "    return Holder.o\ndef put(new):\n    Holder.o = new\n"),
    "static method": (
        "Holder.o", "class Holder:\n    o = make()\n    @staticmethod\n    def f(x):\n$body8\n"
        "compiled = $form(Holder.f)\ndef call(x):\n    return compiled(x)\ndef get():\n"
        "    return Holder.o\ndef put(new):\n    Holder.o = new\n"),
    "attribute of a class": (
        "Holder.o", _place("x", around="class Holder:\n    o = make()", sets="Holder.o")),
    "attribute of a made class": (
        "Holder.o", _place("x", around="Holder = type('Holder', (), {'o': make()})",
                           sets="Holder.o")),
    "attribute of an object": (
        "H.o", _place("x", around="H = types.SimpleNamespace(o=make())", sets="H.o")),
    "attribute of a nested object": (
        "H.a.o", _place("x", around=(
            "class Node:\n    pass\nH = Node()\nH.a = Node()\nH.a.o = make()"), sets="H.a.o")),
    "computed attribute of an object": (
        "getattr(H, f'o{1}')", _place("x", around=(
            "class Node:\n    pass\nH = Node()\nH.o1 = make()"), sets="H.o1")),
    "attribute of a slotted object": (
        "H.o", _place("x", around=(
            "class Node:\n    __slots__ = ('o',)\nH = Node()\nH.o = make()"), sets="H.o")),
    "attribute of a function": (
        "g.o", _place("x", around="def g():\n    pass\ng.o = make()", sets="g.o")),
    "property of an object": (
        "H.o", _place("x", around=(
            "class Node:\n    def __init__(self):\n        self._o = make()\n    @property\n"
            "    def o(self):\n        return self._o\nH = Node()"), sets="H._o")),
    "attribute by reduce": (
        "functools.reduce(getattr, 'a.o'.split('.'), H)", _place("x", around=(
            "class Holder:\n    pass\nH = Holder()\nH.a = Holder()\nH.a.o = make()"), sets="H.a.o")),
    "attribute by attrgetter": (
        "operator.attrgetter('a.o')(H)", _place("x", around=(
            "class Holder:\n    pass\nH = Holder()\nH.a = Holder()\nH.a.o = make()"), sets="H.a.o")),
    "attribute by vars": (
        "vars(H)['o']", _place("x", around=(
            "class Holder:\n    pass\nH = Holder()\nH.o = make()"), sets="H.o")),
    "attribute by values": (
        "[*vars(H).values()][-1]", _place("x", around=(
            "class Holder:\n    pass\nH = Holder()\nH.a = 1.0\nH.o = make()"), sets="H.o")),
    "attribute of a copy": (
        "copy.copy(H).o", _place("x", around=(
            "class Holder:\n    pass\nH = Holder()\nH.o = make()"), sets="H.o")),
    "attribute of a dataclass": (
        "H.o", _place("x", around=(
            "@dataclasses.dataclass\nclass Holder:\n    o: typing.Any\nH = Holder(make())"), sets="H.o")),
    "attribute of a made dataclass": (
        "H.o", _place("x", around=(
            "Holder = dataclasses.make_dataclass('Holder', ['o'])\nH = Holder(make())"), sets="H.o")),
    "field of a named tuple": (
        "H.o", _place("x", around=(
            "O = make()\nHolder = collections.namedtuple('Holder', 'o')\nH = Holder(O)"), sets="")),
    "dict of a class": (
        "Registry.of['o']", _place("x", around=(
            "class Registry:\n    of = {'o': make()}"), sets="Registry.of['o']")),
    "item by itemgetter": (
        "operator.itemgetter('o')(D)", _place("x", around="D = {'o': make()}", sets="D['o']")),
    "item by reduce": (
        "functools.reduce(operator.getitem, ['a', 'o'], D)", _place(
            "x", around="D = {'a': {'o': make()}}", sets="D['a']['o']")),
    "item by a bound get": (
        "AT('o')", _place("x", around="D = {'o': make()}\nAT = D.get", sets="D['o']")),
    "item by a computed index": (
        "L[I]", _place("x", around="L = [0.0, make()]\nI = 1", sets="L[1]")),
    "item by match": (
        "matched(D)", _place("x", around=(
            "D = {'o': make()}\ndef matched(d):\n    match d:\n        case {'o': o}:\n"
            "            return o"), sets="D['o']")),
    "first that is found": (
        "next(o for o in L if hasattr(o, 'first'))", _place(
            "x", around="L = [make(), 1.0]", sets="L[0]")),
    "self of two objects": (
        "self", "O, P = make(), make()\ncompiled = None\ndef call(x):\n"
        "    return O.f(x) + 10.0 * P.f(x)\ndef get():\n    return O\ndef put(new):\n"
        "    global O, P\n    O, P = new, O\n"),
    "two arguments": (
        "o", "O, P = make(), make()\ndef f(x, o):\n$body4\ncompiled = $form(f)\ndef call(x):\n"
        "    return compiled(x, O) + 10.0 * compiled(x, P)\ndef get():\n    return O\n"
        "def put(new):\n    global O, P\n    O, P = new, O\n"),
    "argument that is captured too": (
        "o", "O = make()\ndef f(x, o):\n    x = x * len([O])\n$body4\ncompiled = $form(f)\n"
        "def call(x):\n    return compiled(x, O)\ndef get():\n    return O\ndef put(new):\n"
        "    global O\n    O = new\n"),
    "closure of a class": (
        "o", "def build():\n    o = make()\n    class Holder:\n        def f(self, x):\n$body12\n"
        "    def put(new):\n        nonlocal o\n        o = new\n    return Holder(), put, lambda: o\n"
        "H, put, get = build()\ncompiled = $form(H.f)\ndef call(x):\n    return compiled(x)\n"),
    "item of a list": ("L[0]", _place("x", around="L = [make()]", sets="L[0]")),
    "item of a list by a loop": ("[o for o in L][0]", _place("x", around="L = [make()]", sets="L[0]")),
    "item of a dict": ("D['o']", _place("x", around="D = {'o': make()}", sets="D['o']")),
    "computed item of a dict": (
        "D[f'{\"a\"}:{1}']", _place("x", around="D = {'a:1': make()}", sets="D['a:1']")),
    "value of a dict": ("next(iter(D.values()))", _place("x", around="D = {'o': make()}", sets="D['o']")),
    "key of a dict": ("next(iter(D))", _place("x", around="O = make()\nD = {O: 1.0}", sets="")),
    "item of a tuple": ("T[0]", _place("x", around="O = make()\nT = (O, 1.0)", sets="")),
    "item of a set": ("next(iter(S))", _place("x", around="O = make()\nS = {O}", sets="")),
    "item of a deque": ("Q[0]", _place("x", around="Q = collections.deque([make()])", sets="Q[0]")),
    "item of an array": (
        "A[0]", _place("x", around="A = np.empty(1, dtype=object)\nA[0] = make()", sets="A[0]")),
    "item of a default dict": (
        "D['o']", _place("x", around="D = collections.defaultdict(make)\nD['o']", sets="D['o']")),
    "item of a UserDict": (
        "D['o']", _place("x", around="D = collections.UserDict(o=make())", sets="D['o']")),
    "item of a chain of dicts": (
        "D['o']", _place("x", around="D = collections.ChainMap({}, {'o': make()})", sets="D['o']")),
    "item of a mapping proxy": (
        "P['o']", _place("x", around="D = {'o': make()}\nP = types.MappingProxyType(D)", sets="D['o']")),
    "item of nested containers": (
        "D['a'][0]['o']", _place("x", around="D = {'a': [{'o': make()}]}", sets="D['a'][0]['o']")),
    "module": ("settings.o", _place("x", around=(
        "settings = types.ModuleType('settings_of_x')\nsettings.o = make()"), sets="settings.o")),
    "module imported inside": ("settings.o", _place("x", around=(
        "_m = types.ModuleType('settings_of_x')\n_m.o = make()\nsys.modules['settings_of_x'] = _m"),
        sets="_m.o").replace("$body4", "    import settings_of_x as settings\n$body4")),
    "name imported inside": ("o", _place("x", around=(
        "_m = types.ModuleType('settings_of_x')\n_m.o = make()\nsys.modules['settings_of_x'] = _m"),
        sets="_m.o").replace("$body4", "    from settings_of_x import o\n$body4")),
    "module of the system's table": ("sys.modules['settings_of_x'].o", _place("x", around=(
        "_m = types.ModuleType('settings_of_x')\n_m.o = make()\nsys.modules['settings_of_x'] = _m"),
        sets="_m.o")),
    "module by import_module": ("importlib.import_module('settings_of_x').o", _place("x", around=(
        "_m = types.ModuleType('settings_of_x')\n_m.o = make()\nsys.modules['settings_of_x'] = _m"),
        sets="_m.o")),
    "computed attribute of a module": ("getattr(settings, 'o' + '1')", _place("x", around=(
        "settings = types.ModuleType('settings_of_x')\nsettings.o1 = make()"), sets="settings.o1")),
    "vars of a module": ("vars(settings)['o']", _place("x", around=(
        "settings = types.ModuleType('settings_of_x')\nsettings.o = make()"), sets="settings.o")),
    "__getattr__ of a module": ("settings.made_up", _place("x", around=(
        "settings = types.ModuleType('settings_of_x')\nO = make()\n"
        "settings.__getattr__ = lambda n: O"))),
    "globals": ("globals()['O']", _place("x")),
    "globals of the function": ("f.__globals__['O']", _place("x")),
    "globals of the frame": ("sys._getframe().f_globals['O']", _place("x")),
    "own module": ("sys.modules[__name__].O", _place("x")),
    "own module by getattr": ("getattr(sys.modules[__name__], 'O')", _place("x")),
    "eval of a name": ("eval('O')", _place("x")),
    "partial": (
        "o", _place("o, x", sets="").replace("$form(f)", "$form(functools.partial(f, O))")),
    "partial by keyword": (
        "o", _place("x, o", sets="").replace("$form(f)", "$form(functools.partial(f, o=O))")),
    "context variable": ("C.get()", _place("x", around=(
        "C = contextvars.ContextVar('C')\nO = make()\nC.set(O)"), sets="").replace(
        "def put(new):\n    pass", "def put(new):\n    global O\n    O = new\n    C.set(new)")),
    "weak reference": ("W()", _place("x", around="O = make()\nW = weakref.ref(O)", sets="")),
    "getter that is cached": ("at()", _place("x", around=(
        "O = make()\n@functools.lru_cache(maxsize=None)\ndef at():\n    return O\nat()"), sets="")),
    "member of an enumeration": ("E.A.value", _place("x", around=(
        "O = make()\nclass E(enum.Enum):\n    A = O"), sets="")),
    "getter of a class": ("H.get()", _place("x", around=(
        "class Holder:\n    def __init__(self, o):\n        self._o = o\n    def get(self):\n"
        "        return self._o\nH = Holder(make())"), sets="H._o")),
    "instance method through __getattr__": ("H.o", _place("x", around=(
        "class Holder:\n    def __getattr__(self, n):\n        return O\nH = Holder()\nO = make()"))),
    "helper of another module": ("other.give()", _place("x", around=(
        "other = types.ModuleType('other_of_x')\nother.make = make\n"
        "exec('O = make()\\ndef give():\\n    return O', other.__dict__)"), sets="other.O")),
    "helper in a table": ("TABLE['give']()", _place("x", around=(
        "O = make()\ndef give():\n    return O\nTABLE = {'give': give}"))),
    "helper chosen by a text": ("globals()['gi' + 've']()", _place("x", around=(
        "O = make()\ndef give():\n    return O"))),
    "nested function": ("inner()", _place("x").replace(
        "$body4", "    def inner():\n        return O\n$body4")),
    "lambda": ("(lambda: O)()", _place("x")),
    "function with wraps": (
        "O", "O = make()\ndef wrapping(g):\n    @functools.wraps(g)\n    def inner(*a, **k):\n"
        "        return g(*a, **k)\n    return inner\n@wrapping\ndef f(x):\n$body4\n"
        "compiled = $form(f)\ndef call(x):\n    return compiled(x)\ndef get():\n    return O\n"
        "def put(new):\n    global O\n    O = new\n"),
    "function made by exec": (
        "O", "O = make()\nSOURCE = '''def f(x):\n$body4\n'''\nexec(SOURCE, globals())\n"
        "compiled = $form(f)\ndef call(x):\n    return compiled(x)\ndef get():\n    return O\n"
        "def put(new):\n    global O\n    O = new\n"),
    "method of Module": (
        "self.o", "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.o = make()\n    def forward(self, x):\n$body8\nH = Net()\n"
        "compiled = $form(H)\ndef call(x):\n    return compiled(x)\ndef get():\n    return H.o\n"
        "def put(new):\n    H.o = new\n"),
    "Module as an argument": (
        "net.o", "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.o = make()\n    def forward(self, x):\n        return x\nH = Net()\n"
        "def f(x, net):\n$body4\ncompiled = $form(f)\ndef call(x):\n    return compiled(x, H)\n"
        "def get():\n    return H.o\ndef put(new):\n    H.o = new\n"),
}  # fmt: skip

#: How a function is compiled; ``f`` takes x and more arguments.
FORMS = {
    "jit": "jit",
    "jit of grad": "(lambda f: jit(grad(f)))",
    "jit of a lambda": "(lambda f: jit(lambda *a, **k: f(*a, **k)))",
    "jit in jit": "(lambda f: (lambda g: jit(lambda *a, **k: g(*a, **k)))(jit(f)))",
    "vmap": "(lambda f: jit(lambda x, *a, **k: sum(vmap(lambda y: f(y, *a, **k))([x, x + 1.0]))))",
    "scan": "(lambda f: jit(lambda x, *a, **k: scan(\n"
    "    lambda c, y: (c + f(y, *a, **k), c), 0.0, [x, x + 1.0])[0]))",
    "two calls": "(lambda f: jit(lambda *a, **k: f(*a, **k) + 2.0 * f(*a, **k)))",
}

# Leaves -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Leaf:
    """A kind of value of an attribute: first values, uses of ``r``, other values, and changes."""

    first: list[str]
    uses: list[str]
    others: list[str]
    in_place: list[str]


LEAVES = {
    "number": Leaf(
        ["2.0", "2.0", "2.0", "2", "1", "True", "0.0", "np.float64(2.0)"],
        ["x * r", "x * r", "x * r", "x + r", "x * float(len(str(r)))", "(x * 2.0 if r else x * 3.0)",
         "(2.0 * x if isinstance(r, int) else 3.0 * x)", "x * math.copysign(1.0, r)",
         "(2.0 * x if r is True else 3.0 * x)", "sum(x for _ in range(int(r))) + x * 0.5",
         "x * {float: 2.0, int: 3.0, bool: 5.0}.get(type(r), 7.0)",
         "(2.0 * x if r > 2.5 else 3.0 * x)", "[10.0, 20.0, 30.0][int(r) % 3] * x",
         "x * (r if isinstance(r, float) else 2.0 * r)"],
        ["5.0", "5.0", "9.0", "1", "1.0", "True", "2", "-0.0", "0.0", "Value(3.0)", "Parameter(2.0)",
         "None", "'text'", "np.float64(4.0)", "False", "Value(2.0)", "float('inf')",
         "float('nan')", "300", "np.int64(2)", "np.array(2.0)", "fractions.Fraction(1, 2)",
         "decimal.Decimal('2.5')", "np.float32(2.5)"],
        []),
    "list": Leaf(
        ["[1.0, 2.0]", "[2.0]", "[1, 2.0]", "[Value(1.0), 2.0]"],
        ["x * r[0]", "x * sum(r)", "x * len(r)", "x * r[-1]", "(2.0 * x if 2.0 in r else 3.0 * x)",
         "sum(v * x for v in r)", "x * len(str(r))", "x * max(r)", "x * r.count(2.0)"],
        ["[1.0, 2.0]", "[5.0]", "(1.0, 2.0)", "[]", "[Value(4.0)]"],
        ["v[0] = 9.0", "v.append(3.0)", "v.reverse()", "v.pop()", "v[0] = 1", "v[0] = True",
         "v.clear()", "v.extend([1.0, 1.0])", "v[0] = Value(6.0)", "v.insert(0, 4.0)",
         "v[:] = [7.0, 7.0]", "del v[0]", "v[0].data = 8.0"]),
    "dict": Leaf(
        ["{'a': 1.0, 'b': 2.0}", "{'a': 2.0}"],
        ["x * r['a']", "x * r.get('b', 4.0)", "x * sum(r.values())", "x * len(r)",
         "(2.0 * x if 'b' in r else 3.0 * x)", "x * next(iter(r.values()))",
         "sum((j + 1) * v * x for j, v in enumerate(r.values()))", "x * r[f'{chr(97)}']",
         "x * len(''.join(r))", "x * (r | {})['a']", "x * dict(r)['a']"],
        ["{'a': 5.0}", "{'b': 2.0, 'a': 1.0}", "{}"],
        ["v['a'] = 9.0", "v['c'] = 3.0", "v['a'] = v.pop('a')", "v.pop('b', None)", "v['a'] = 1",
         "v.clear()", "v.update(a=7.0, b=8.0)", "v['a'] = Value(6.0)", "del v['a']"]),
    "array": Leaf(
        ["np.array([1.0, 2.0])", "np.array([2.0, 3.0])"],
        ["x * r[0]", "x * float(r.sum())", "x * len(r)", "x * r[-1]", "sum(v * x for v in r)",
         "x * r.shape[0]", "x * float(np.max(r))", "sum((r * x).tolist())", "x * len(str(r))",
         "x * float(r @ r)"],
        ["np.array([5.0, 1.0])", "np.array([1, 2])", "[4.0, 4.0]", "np.zeros(3)"],
        ["v[0] = 9.0", "v *= 2.0", "v.fill(3.0)", "v[::-1].sort()", "v[0] = -0.0",
         "v.resize(3, refcheck=False)", "v[1] = 7.0"]),
    "Value": Leaf(
        ["Value(2.0)", "Parameter(2.0)"], ["x * r", "x + r", "r * r * x", "x * r.detach()"],
        ["Value(5.0)", "Parameter(3.0)", "4.0", "2", "None"],
        ["v.data = 9.0", "v.data = -1.0", "v.requires_grad = False"]),
    "Values": Leaf(
        ["[Value(2.0), Value(3.0)]", "[Parameter(2.0), 1.0]", "{'a': Value(2.0)}"],
        ["sum(w * x for w in (r.values() if isinstance(r, dict) else r))",
         "x * (r['a'] if isinstance(r, dict) else r[0])"],
        ["[Value(5.0)]", "[4.0]"],
        ["(v['a'] if isinstance(v, dict) else v[0]).data = 9.0",
         "v['a' if isinstance(v, dict) else 0] = Value(7.0)", "v.append(Value(4.0))"]),
    "object": Leaf(
        ["Inner(2.0)", "types.SimpleNamespace(rate=2.0)", "Inner(Value(2.0))"],
        ["x * r.rate", "x * getattr(r, 'ra' + 'te')", "x * vars(r)['rate']",
         "x * (r.rate if hasattr(r, 'rate') else 3.0)", "x * len(vars(r))"],
        ["Inner(5.0)", "Inner(2.0)", "types.SimpleNamespace(rate=4.0)"],
        ["v.rate = 9.0", "del v.rate", "v.more = 1.0", "type(v).rate = 4.0", "v.rate = Value(8.0)",
         "v.rate = 2", "v.rate = True"]),
    "function": Leaf(
        ["(lambda x: 2.0 * x)", "sg.tanh", "Inner(2.0).times", "functools.partial(times, 2.0)",
         "of_globals"],
        ["r(x)", "[*map(r, [x])][0]"],
        ["(lambda x: 5.0 * x)", "sg.sin", "Inner(3.0).times", "functools.partial(times, 4.0)"],
        ["v.__defaults__ = (9.0,)", "v.__code__ = (lambda x: 7.0 * x).__code__",
         "v.__self__.rate = 9.0", "v.keywords['c'] = 3.0", "global FACTOR\nFACTOR = 8.0"]),
    "text": Leaf(
        ["'abc'", "'2.5'", "b'abc'"],
        ["x * len(r)", "(2.0 * x if r == 'abc' else 3.0 * x)", "(2.0 * x if 'b' in str(r) else x)",
         "x * len(f'{r}')", "x * {'abc': 2.0, '2.5': 3.0}.get(r, 5.0)"],
        ["'abcd'", "'2.75'", "''", "b'ab'", "collections.UserString('abc')", "3.0"], []),
    "layer": Leaf(
        ["nn.Linear(1, 1, rng=0)", "nn.MLP(1, [1], rng=0)"],
        ["head(r([x]))", "sum(p * x for p in r.parameters())"],
        ["nn.Linear(1, 1, rng=1)"],
        ["v.parameters()[0].data = 3.0", "v.parameters()[-1].data += 1.0"]),
    "class": Leaf(
        ["Inner"], ["x * r.rate", "x * r(2.0).rate", "r(2.0).times(x)"], ["Other"],
        ["v.rate = 9.0", "v.times = lambda self, x: 6.0 * x",
         "v.__init__ = lambda self, r: setattr(self, 'rate', 7.0)"]),
    "set": Leaf(
        ["{1.0, 2.0}", "frozenset({2.0})"],
        ["x * len(r)", "(2.0 * x if 2.0 in r else 3.0 * x)", "x * sum(r)", "x * max(r)"],
        ["{1.0}", "{2}", "{True, 2.0}", "set()"],
        ["v.add(5.0)", "v.discard(2.0)", "v.clear()"]),
    "objects": Leaf(
        ["[Inner(2.0), Inner(3.0)]", "[Inner(2.0)] * 2", "(Inner(2.0), types.SimpleNamespace(rate=1.0))"],
        ["x * sum(i.rate for i in r)", "x * r[0].rate", "sum(getattr(i, 'ra' + 'te') * x for i in r)",
         "sum(map(operator.attrgetter('rate'), r)) * x", "x * max(r, key=lambda i: i.rate).rate",
         "x * [i.rate for i in r if isinstance(i, Inner)][-1]", "functools.reduce(lambda y, i: y * i.rate, r, x)"],
        ["[Inner(5.0)]", "[]", "[Inner(3.0), Inner(2.0)]"],
        ["v[0].rate = 9.0", "v.append(Inner(4.0))", "v.reverse()", "v[0] = Inner(7.0)", "v[1].rate = 1",
         "v[0].__class__ = Other", "del v[0].rate", "v[0].rate = Value(6.0)"]),
    "objects by name": Leaf(
        ["{'a': Inner(2.0), 'b': Inner(3.0)}"],
        ["x * r['a'].rate", "x * r[f'{chr(97)}'].rate", "sum(i.times(x) for i in r.values())",
         "x * operator.itemgetter('a')(r).rate", "x * sum(getattr(r[n], 'rate') for n in sorted(r))",
         "[*map(operator.methodcaller('times', x), r.values())][0]"],
        ["{'a': Inner(5.0)}"],
        ["v['a'].rate = 9.0", "v['c'] = Inner(4.0)", "v['a'] = v.pop('a')", "v['a'] = Inner(7.0)",
         "v['a'].times = lambda x: 3.0 * x", "v['b'].__class__ = Other"]),
    "nested containers": Leaf(
        ["{'a': {'b': [1.0, 2.0]}}", "{'a': {'b': (1.0, [2.0])}}", "{'a': {'b': np.array([1.0, 2.0])}}"],
        ["x * r['a']['b'][0]", "x * functools.reduce(operator.getitem, ['a', 'b', 0], r)",
         "x * len(str(r))", "x * len(r['a']['b'])", "x * copy.deepcopy(r)['a']['b'][0]",
         "x * json.loads(json.dumps(r))['a']['b'][0]", "x * float(np.asarray(r['a']['b'][0]))"],
        ["{'a': {'b': [5.0]}}"],
        ["v['a']['b'][0] = 9.0", "v['a']['b'] = [7.0]", "v['a'] = {'b': [8.0, 1.0]}", "v['a']['c'] = 1",
         "v['a']['b'][1][0] = 5.0", "v['a']['b'] = (6, 7)"]),
    "tree": Leaf(
        ["Node(1.0, [Node(2.0, []), Node(3.0, [Node(4.0, [])])])"],
        ["x * total(r)", "x * total_by_name(r)", "x * r.children[1].children[0].value",
         "x * len(repr([n.value for n in walked(r)]))"],
        ["Node(5.0, [])"],
        ["v.children[1].children[0].value = 9.0", "v.children.append(Node(7.0, []))",
         "v.children[0].children.append(v.children.pop())", "v.value = 1", "v.children.reverse()",
         "v.children[0].value = Value(3.0)"]),
    "generator of numbers": Leaf(
        ["random.Random(0)"], ["x * r.rate", "drawn(r.random) * x"], ["random.Random(1)"],
        ["v.rate = 3.0", "v.seed(5)"]),
}  # fmt: skip

#: Definitions that leaves use.
OF_LEAVES = """class Inner:
    rate = 3.0
    def __init__(self, rate):
        self.rate = rate
    def times(self, x):
        return self.rate * x
class Other(Inner):
    rate = 4.0
FACTOR = 2.0
def times(c, x):
    return c * x
def of_globals(x, c=1.0):
    return FACTOR * c * x
def head(y):
    return y[0] if isinstance(y, list) else y
class Node:
    def __init__(self, value, children):
        self.value = value
        self.children = children
def total(n):
    return n.value + 0.5 * sum(map(total, n.children))
def total_by_name(n):
    return getattr(n, 'val' + 'ue') + sum(total_by_name(c) for c in getattr(n, 'child' + 'ren'))
def walked(n):
    yield n
    for c in n.children:
        yield from walked(c)
"""

# Changes ----------------------------------------------------------------------------------------

#: Changes of an object ``o``; ``$new`` is another value, and ``v`` the value by now.
CHANGES: dict[str, str] = {
    "assignment": "setattr(o, '$k', $new)",
    "assignment by name": "o.$k = $new",
    "assignment in the dict": "vars(o)['$k'] = $new",
    "update of the dict": "o.__dict__.update({'$k': $new})",
    "assignment past __setattr__": "object.__setattr__(o, '$k', $new)",
    "assignment to the first": "o.first = 9.0",
    "in place": "v = getattr(o, '$k')\n$in_place",
    "in place ": "v = getattr(o, '$k')\n$in_place",
    "deletion": "delattr(o, '$k')",
    "deletion and assignment": "delattr(o, '$k')\nsetattr(o, '$k', $new)",
    "order of attributes": "v = vars(o).pop('first')\no.first = v",
    "order of attributes and a value": "vars(o).pop('$k')\no.extra = 4.0\nsetattr(o, '$k', $new)",
    "another attribute": "o.extra = 4.0",
    "attribute of a missing name": "setattr(o, '$k_none', $new)",
    "attribute of the class": "setattr(type(o), '$k', $new)",
    "attribute of the class, shadowed no longer": "setattr(type(o), '$k', $new)\ndelattr(o, '$k')",
    "attribute of the base class": "setattr(type(o).__mro__[1], '$k', $new)",
    "attribute of the base": "setattr(Base, '$k', $new)",
    "property of the class": "new = $new\nsetattr(type(o), '$k', property(lambda self: new))",
    "__getattr__ of the class": "type(o).__getattr__ = lambda self, n: 6.0\ndelattr(o, '$k')",
    "__getattribute__ of the class":
        "type(o).__getattribute__ = lambda self, n: (\n"
        "    6.0 if n == '$k' else object.__getattribute__(self, n))",
    "another class": "class Else(type(o)):\n    $k = property(lambda self: 6.0)\no.__class__ = Else",
    "another dict": "o.__dict__ = {'first': 0.5, '$k': $new}",
    "an equal object": "put(copy.copy(o))",
    "an equal object that changes": "put(copy.copy(o))\no = get()\nsetattr(o, '$k', $new)",
    "another object": "put(make())\no = get()\nsetattr(o, '$k', $new)",
    "another object of numbers": "put(types.SimpleNamespace(first=0.5, **{'$k': $new}))",
    "replaced by dataclasses": "put(dataclasses.replace(o, **{'$k': $new}))",
    "replaced by a named tuple": "put(o._replace(**{'$k': $new}))",
    "a method": "type(o).run = lambda self, x: 6.0 * x",
    "a method of the object": "o.run = lambda x: 6.0 * x",
    "a method's name": "type(o).act = lambda self, *a: 6.0",
    "special methods":
        "for n in ('__str__', '__repr__', '__format__'):\n"
        "    setattr(type(o), n, lambda self, *a: '6.0')\n"
        "for n in ('__float__', '__neg__', '__call__', '__mul__'):\n"
        "    setattr(type(o), n, lambda self, *a: 6.0)\n"
        "type(o).__getitem__ = lambda self, n: [6.0][n] if isinstance(n, int) else 6.0",
    "a property": "type(o).slope = property(lambda self: 6.0)",
    "metaclass attribute": "setattr(type(type(o)), '$k', $new)",
    "nothing": "pass",
    "and back": "setattr(o, '$k', $v)",
    "an annotation": "type(o).__annotations__['extra'] = float",
    "a pattern": "type(o).__match_args__ = ('first',)",
}  # fmt: skip
