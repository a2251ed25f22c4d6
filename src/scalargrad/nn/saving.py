"""Weights in files: safetensors, which PyTorch reads and which can hold no code."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scalargrad.errors import StateError
from scalargrad.nn.module import Module
from scalargrad.nn.state import IncompatibleKeys, flat, number_shape, shape_text
from scalargrad.system.files import file_path, write_atomically
from scalargrad.system.packages import optional_dependency
from scalargrad.table.validation import flag, instance, mapping, text

__all__ = ["load_file", "load_metadata", "load_model", "save_file", "save_model"]


AnyPath = str | os.PathLike[str]

_READABLE = {"F64", "F32", "F16"}
#: The format's name for the text beside the entries.
_HEADER = "__metadata__"
_MOST_DIMENSIONS = 8
_MOST_EMPTY_LISTS = 1_000_000


def save_file(
    tensors: Mapping[str, Any], path: AnyPath, metadata: Mapping[str, str] | None = None
) -> None:
    """Write named rectangles of numbers to a safetensors file, whole or not at all.

    Parameters
    ----------
    tensors : mapping from str to float, nested lists of float, or array
        As `Module.state_dict` returns it. Kept as 64-bit floats, so that nothing is rounded.
    path : str or path
        The file; one that exists is replaced.
    metadata : mapping from str to str, optional
        Kept in the file's header.

    Raises
    ------
    MissingPackageError
        If safetensors is not installed.
    StateError
        If an entry is not a rectangle of numbers.
    OSError
        If the file cannot be written; an older one is left as it was.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "weights.safetensors"
    ...     save_file({"w": [1.0, 0.1]}, path)
    ...     load_file(path)
    {'w': [1.0, 0.1]}
    """
    with optional_dependency("saving and loading weights needs"):
        from safetensors.numpy import save
    file_path(path)
    named = mapping(tensors, "tensors", "numbers by name").items()
    arrays = {text(name, "the name of a tensor"): _rectangle(name, x) for name, x in named}
    write_atomically(path, save(arrays, metadata=_header(metadata) or None))


def _rectangle(name: str, numbers: Any) -> Any:
    """Return the numbers of one entry as an array."""
    import numpy as np

    if name == _HEADER:
        raise StateError(f"{name} is the header's own name in the format: choose another")
    numbers = numbers.tolist() if hasattr(numbers, "tolist") else numbers
    try:
        if number_shape(numbers, ()) is not None or not list(flat(numbers)):
            return np.array(numbers, dtype=np.float64)
    except (ValueError, OverflowError):  # lists of no number of several lengths; a huge integer
        pass
    raise StateError(f"{name} is not a rectangle of numbers (float), so it cannot be saved")


def _header(metadata: Any) -> dict[str, str]:
    """Return the text for a header."""
    given = {} if metadata is None else mapping(metadata, "metadata", "text by name")
    return {
        text(name, "a name in metadata"): text(x, f"metadata[{name!r}]")
        for name, x in given.items()
    }


def load_file(path: AnyPath) -> dict[str, Any]:
    """Read the named rectangles of numbers in a safetensors file, ours or PyTorch's.

    Parameters
    ----------
    path : str or path
        The file. 64-, 32- and 16-bit floats are read.

    Returns
    -------
    dict from str to float or nested lists of float
        What `Module.load_state_dict` takes.

    Raises
    ------
    StateError
        If the file is damaged, no safetensors file, or holds anything but numbers of
        these kinds.
    MissingPackageError
        If safetensors is not installed.
    FileNotFoundError
        If there is no such file.

    Notes
    -----
    The format holds numbers and text only: reading a file never runs anything in it.
    """
    with _opened(path) as file:
        return {name: _numbers(file, name, path) for name in file.keys()}  # noqa: SIM118


def load_metadata(path: AnyPath) -> dict[str, str]:
    """Read the text in the header of a safetensors file; see `load_file` for what is raised.

    Returns
    -------
    dict from str to str
        Of a file by `save_model`, ``architecture`` is the module as it prints.
    """
    with _opened(path) as file:
        return dict(file.metadata() or {})


def save_model(model: Module, path: AnyPath, metadata: Mapping[str, str] | None = None) -> None:
    """Save the parameters of a module, with its architecture, to a safetensors file.

    Parameters
    ----------
    model : Module
        Its `state_dict` is written.
    path : str or path
        The file; one that exists is replaced, in one step.
    metadata : mapping from str to str, optional
        More text for the header.

    Raises
    ------
    MissingPackageError
        If safetensors is not installed.
    OSError
        If the file cannot be written; an older one is left as it was.

    Notes
    -----
    ``safetensors.torch.load_file`` reads the file: a PyTorch model of the same architecture
    loads it as its state.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from scalargrad.nn import Linear
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "line.safetensors"
    ...     save_model(Linear(2, 1), path)
    ...     load_model(Linear(2, 1), path)
    IncompatibleKeys(missing_keys=[], unexpected_keys=[])
    """
    instance(model, "model", Module, "a Module")
    header = {"format": "pt", "architecture": repr(model)}  # "pt" is what PyTorch's readers expect
    save_file(model.state_dict(), path, {**_header(metadata), **header})


def load_model(model: Module, path: AnyPath, strict: bool = True) -> IncompatibleKeys:
    """Load parameters from a safetensors file into a module of the same architecture.

    Parameters
    ----------
    model : Module
        Its parameters are set, all or none.
    path : str or path
        A file by `save_model`, or by PyTorch.
    strict : bool
        Whether the names must be the same on both sides, and the architecture as well where
        the file tells it.

    Returns
    -------
    IncompatibleKeys
        The names missing from the file, and those it has too many.

    Raises
    ------
    StateError
        If the file is damaged or foreign, or does not fit; see `Module.load_state_dict`.
    MissingPackageError
        If safetensors is not installed.
    FileNotFoundError
        If there is no such file.
    """
    instance(model, "model", Module, "a Module")
    flag(strict, "strict")
    state = load_file(path)
    saved = load_metadata(path).get("architecture", repr(model))
    if strict and saved != repr(model) and _same_shapes(model.state_dict(), state):
        raise StateError(
            f"{path} was saved from another architecture, though its shapes fit:\n{saved}\n"
            f"was to be loaded into\n{model!r}\nstrict=False loads it all the same"
        )
    return model.load_state_dict(state, strict)


def _same_shapes(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    return a.keys() == b.keys() and all(number_shape(a[k], ()) == number_shape(b[k], ()) for k in a)


@contextmanager
def _opened(path: AnyPath) -> Iterator[Any]:
    """Open a safetensors file; the package checks its header before anything is read."""
    with optional_dependency("saving and loading weights needs"):
        from safetensors import SafetensorError, safe_open
    if Path(file_path(path)).is_dir():
        raise StateError(f"{path} is a folder: give the file that save_model wrote")
    try:
        with safe_open(file_path(path), framework="numpy") as file:
            yield file
    except SafetensorError as error:
        raise StateError(
            f"{path} is not a whole safetensors file ({error}): it may be cut off or of another "
            "format; save it again with save_model"
        ) from error


def _numbers(file: Any, name: str, path: AnyPath) -> Any:
    """Read one entry, after checking what it claims to be."""
    entry = file.get_slice(name)
    shape, kind = entry.get_shape(), entry.get_dtype()
    before_empty = shape[: shape.index(0)] if 0 in shape else []
    if len(shape) > _MOST_DIMENSIONS or math.prod(before_empty) > _MOST_EMPTY_LISTS:
        raise StateError(f"{path}: {name} has the shape {shape_text(shape)}, which no weights have")
    if kind not in _READABLE:
        raise StateError(f"{path}: {name} is of type {kind}; save it as 64- or 32-bit floats")
    return file.get_tensor(name).astype("float64").tolist()
