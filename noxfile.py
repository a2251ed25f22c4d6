"""Other Pythons, other versions of what scalargrad stands on, and none of it.

``pipx run nox --list`` shows the sessions; an interpreter that is not on this machine is skipped.
"""

import nox

nox.options.sessions = ["core", "tests"]

PYTHONS = ["3.11", "3.12", "3.13", "3.14", "3.14t"]
WARNINGS_OF_OTHERS = [  # what old releases say of new ones of what they stand on
    *("-W", "ignore:'click:DeprecationWarning"),
    *("-W", "ignore::pyparsing.warnings.PyparsingDeprecationWarning"),
]
EXTRAS = {
    "draw": ["graphviz-pure", "resvg-py"],
    "jit": ["llvmlite"],
    "plot": ["matplotlib"],
    "data": ["safetensors"],
    "datasets": ["scikit-learn"],
    "fit": ["scipy"],
}
NEEDS_NO_NUMPY = [
    *("tests/test_autodiff.py", "tests/test_grad_mode.py", "tests/test_graph.py"),
    *("tests/test_sparse.py", "tests/transforms/test_functional_nesting.py"),
]


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run every test that needs no browser and no other framework."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "pytest", "-n", "auto", *session.posargs)


@nox.session(python=PYTHONS)
def core(session: nox.Session) -> None:
    """Run what the core promises, with its own dependencies alone."""
    session.install(".")
    session.run("python", "tests/packaging/smoke.py")


@nox.session(python="3.11")
def lowest(session: nox.Session) -> None:
    """Run the tests with the oldest version of each dependency that is allowed."""
    session.install("uv")
    session.run("uv", "pip", "install", "--resolution", "lowest-direct", "-e", ".[dev]")
    session.run("python", "-m", "pytest", "-n", "auto", *WARNINGS_OF_OTHERS, *session.posargs)


@nox.session(python="3.11")
def oldest_llvmlite(session: nox.Session) -> None:
    """Run the core of the compiler with the oldest llvmlite, NumPy and pytest that are allowed."""
    session.install("uv")
    session.run("uv", "pip", "install", "--resolution", "lowest-direct", "-e", ".[dev]")
    core = ("operations", "digits", "loops")
    files = [f"tests/compiler/test_{name}.py" for name in core]
    session.run("python", "-m", "pytest", "-n", "auto", *files)


@nox.session(python="3.13")
def newest(session: nox.Session) -> None:
    """Run the tests with the newest versions of all dependencies, new majors included."""
    session.install("--upgrade", "--upgrade-strategy", "eager", "-e", ".[dev]")
    session.run("python", "-m", "pytest", "-n", "auto", *session.posargs)


@nox.session(python="3.11")
@nox.parametrize("extra", sorted(EXTRAS))
def without(session: nox.Session, extra: str) -> None:
    """Run the core, and the tests of the engine, with one extra absent."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "pip", "uninstall", "--quiet", "--yes", *EXTRAS[extra])
    session.run("python", "tests/packaging/smoke.py")
    if extra == "jit":  # functions are evaluated eagerly, which tests of tracing do not expect
        session.run("python", "tests/packaging/without_llvm.py")
    else:
        session.run("python", "-m", "pytest", "-n", "auto", "tests/test_value.py", "tests/ops")


@nox.session(python="3.11")
def without_numpy(session: nox.Session) -> None:
    """Run what needs no arrays where there is no NumPy: the engine, models, pictures and steps."""
    session.install("-e", ".[draw]", "hypothesis", "mpmath", "pytest", "pytest-xdist")
    session.run("python", "tests/packaging/smoke.py")
    options = ["-n", "auto", "-o", "addopts=--import-mode=importlib"]
    session.run("python", "-m", "pytest", *options, *NEEDS_NO_NUMPY)
