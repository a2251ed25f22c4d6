"""A tool for GradBench, which measures how fast derivatives are, across libraries.

It answers an eval's messages, a line of JSON each, on its standard output:

    gradbench run --eval "gradbench repo eval gmm" --tool "python -m examples.gradbench.tool"

in a clone of this repository, with GradBench's command installed. The problems are those of
`benchmarks/gradbench.py`, on one core. The evals particle and saddle name modes of differentiation;
here they all use the same one.

References
----------
GradBench's protocol: https://github.com/gradbench/gradbench/blob/main/CONTRIBUTING.md#protocol
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

import scalargrad as sg
from benchmarks import gradbench
from benchmarks.gradbench import Problem
from benchmarks.measuring import pin

#: The functions that are not derivatives.
PRIMALS = {"primal", "objective", "cost"}
#: A problem, and its arguments.
Task = tuple[Problem, tuple[Any, ...]]


def array(x: Any) -> Any:
    """Return an array of floats."""
    return np.array(x, dtype=float)


def of_lstm(given: Any) -> Task:
    """Return the problem and the layers' parameters."""
    layers, bits = len(given["main_params"]) // 2, len(given["extra_params"][0])
    main = array(given["main_params"]).reshape(layers, 2, 4, bits)
    state = array(given["state"]).reshape(layers, 2, bits)
    text = array(given["sequence"])
    problem = gradbench.lstm(layers, len(text), bits)
    return problem, (main, array(given["extra_params"]), state, text)


def of_gmm(given: Any) -> Task:
    """Return the problem and the parameters of a mixture."""
    sizes = {name: given[name] for name in ("d", "k", "n", "m", "gamma")}
    problem = gradbench.gmm(**sizes, data=array(given["x"]))
    return problem, tuple(array(given[name]) for name in ("alpha", "mu", "q", "l"))


def of_ba(given: Any) -> Task:
    """Return the problem and its one observation, repeated; all copies are computed."""
    count = given["p"]
    one = array([*given["cam"], *given["x"], given["w"]])
    problem = gradbench.ba(count, features=np.tile(array(given["feat"]), (count, 1)))
    return problem, (np.tile(one, (count, 1)),)


def of_kmeans(given: Any) -> Task:
    """Return the problem and the centroids."""
    points, centroids = array(given["points"]), array(given["centroids"])
    problem = gradbench.kmeans(len(centroids), len(points), points.shape[1], points=points)
    return problem, (centroids,)


#: The problem and the arguments of each module of GradBench.
MODULES: dict[str, Callable[[Any], Task]] = {
    "ba": of_ba,
    "det": lambda x: (gradbench.det(x["ell"]), (array(x["A"]).reshape(x["ell"], -1),)),
    "gmm": of_gmm,
    "kmeans": of_kmeans,
    "llsq": lambda x: (gradbench.llsq(x["n"], len(x["x"])), (array(x["x"]),)),
    "lse": lambda x: (gradbench.lse(), (array(x["x"]),)),
    "lstm": of_lstm,
    "ode": lambda x: (gradbench.ode(len(x["x"]), x["s"]), (array(x["x"]),)),
    "particle": lambda x: (gradbench.particle(), (array([x["w"]]),)),
    "saddle": lambda x: (gradbench.saddle(), (array(x["start"]),)),
}


def format_output(module: str, function: str, given: Any, found: Any) -> Any:
    """Return a result in the form that an eval reads."""
    if module == "gmm" and function == "jacobian":
        return {name: x.tolist() for name, x in zip(("alpha", "mu", "q", "l"), found, strict=True)}
    if module == "ba":
        weight, count = given["w"], given["p"]
        if function == "objective":
            errors = {"elements": [float(found[0][0]), float(found[1][0])], "repeated": count}
            return {"reproj_error": errors, "w_err": {"element": 1 - weight**2, "repeated": count}}
        first = 11 * given["n"]  # columns: cameras, points, weights; rows: where each begins
        last = first + 3 * given["m"]
        columns = [*range(11), *range(first, first + 3), last]
        starts = [15 * k for k in range(2 * count + 1)]
        starts += [starts[-1] + k + 1 for k in range(count)]
        entries = [float(x) for row in found for x in row[0]]
        return {
            "rows": [*starts[:30], starts[-1]],
            "cols": [*columns, *columns, last + count - 1],
            "vals": [*entries, -2 * weight],
        }
    if module == "kmeans" or function in PRIMALS:
        return np.asarray(found, dtype=float).tolist()
    flat = [x for part in found for x in np.ravel(part).tolist()]
    return flat[0] if module == "particle" else flat


def evaluate(message: Any) -> dict[str, Any]:
    """Run a function as often as the message demands, and return its result and its times."""
    module, function, given = message["module"], message["function"], message["input"]
    problem, arguments = MODULES[module](given)
    requested = problem.primal if function in PRIMALS else problem.ours
    run = sg.jit(requested) if problem.is_whole else problem.ours()
    timings: list[int] = []
    while len(timings) < given["min_runs"] or sum(timings) < 1e9 * given["min_seconds"]:
        start = time.perf_counter_ns()
        found = run(*arguments)
        timings.append(time.perf_counter_ns() - start)
    return {
        "success": True,
        "output": format_output(module, function, given, found),
        "timings": [{"name": "evaluate", "nanoseconds": each} for each in timings],
    }


def answer(message: Any) -> dict[str, Any]:
    """Return the answer to a message, without its number."""
    if message["kind"] == "start":
        return {"tool": "scalargrad"}
    if message["kind"] == "define":
        return {"success": message["module"] in MODULES}
    if message["kind"] != "evaluate":
        return {}
    try:
        return evaluate(message)
    except Exception:  # noqa: BLE001 - an eval continues after a failure
        return {"success": False, "error": traceback.format_exc()}


def main(lines: Iterable[str]) -> None:
    """Answer each message."""
    pin()
    for line in lines:
        message = json.loads(line)
        print(json.dumps({"id": message["id"]} | answer(message)), flush=True)


if __name__ == "__main__":
    main(sys.stdin)
