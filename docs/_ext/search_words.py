"""Words that readers look for and that pages answer in other words: entries of the search index."""

from __future__ import annotations

import json

from sphinx.application import Sphinx

#: For each page, what it should be found by besides its own words.
WORDS = {
    "start/install": "requirements, version, licence, license, upgrade, download",
    "start/ten-minutes": "tutorial, getting started, quickstart, first steps, beginner",
    "guides/micrograd": (
        "Karpathy, _children, _op, _backward, _local_grads, batch_size, minibatch, mini-batch"
    ),
    "guides/scipy": (
        "curve_fit, covariance, uncertainty, error bars, constraint, constraints, Lagrange, "
        "Lagrange multiplier, root finding, fsolve, curve fitting, "
        "optimization, ODE, ordinary differential equation, sparse matrix, finite differences"
    ),
    "guides/fitting": (
        "fit a model to data, maximum likelihood, MLE, MAP, standard error, confidence interval, "
        "profile likelihood, statsmodels, lmfit, random effects, epidemic, parameter estimation"
    ),
    "guides/solving": (
        "root finding, fsolve, Newton's method, nonlinear equations, implicit differentiation, "
        "implicit function theorem, deep equilibrium, ODE, ordinary differential equation, "
        "solve_ivp, Runge-Kutta, Kepler, linear system, linalg, Cholesky, inverse, determinant, "
        "Gaussian process, kernel"
    ),
    "guides/likelihoods": (
        "finance, Black-Scholes, implied volatility, time series, state space, filter, econometrics"
    ),
    "guides/teaching": (
        "handout, homework, exercise, exercises, assignment, exam, quiz, projector, presentation, "
        "animation, video, embed, iframe, students, classroom, online, try it, REPL, QR code, link"
    ),
    "guides/train": (
        "neural network, classification, regularization, weight decay, train a network, "
        "save a model, load a model, early stopping"
    ),
    "guides/fast": "speed, performance, slow, fast, Monte Carlo, simulation, loops, cold start",
    "guides/export": "C code, C, LaTeX formula, ONNX, deploy, JavaScript",
    "explained/limits": (
        "GPU, CUDA, complex, complex numbers, float32, tensor, memory, linear algebra, "
        "linear system, linalg, interpolation"
    ),
    "sources": "cite, citation, BibTeX, references",
    "learn/index": "course, notebooks, Jupyter, Colab",
    "notebooks/11_character_level_gpt": (
        "transformer, language model, makemore, nanoGPT, attention, text generation"
    ),
}


def add_words(_app: Sphinx, name: str, source: list[str]) -> None:
    """Put the words of a page below its heading, where they are indexed and not shown."""
    if name not in WORDS:
        return
    if name.startswith("notebooks/"):
        notebook = json.loads(source[0])
        cell = notebook["cells"][0]
        cell["source"] = _below_heading("".join(cell["source"]), WORDS[name])
        source[0] = json.dumps(notebook)
    else:
        source[0] = _below_heading(source[0], WORDS[name])


def _below_heading(text: str, words: str) -> str:
    heading, _, rest = text.partition("\n")
    entries = ", ".join(f"! {word}" for word in words.split(", "))
    return f"{heading}\n\n```{{index}} {entries}\n```\n{rest}"


def setup(app: Sphinx) -> None:
    """Register what is added while pages are read."""
    app.connect("source-read", add_words)
