"""Save and load weights as safetensors files, which PyTorch can read and which contain no code."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scalargrad.checks.arguments import check_flag, check_instance, check_mapping, check_text
from scalargrad.errors import StateError
from scalargrad.nn.module import Module
from scalargrad.nn.state import IncompatibleKeys, flatten_nested, format_shape, number_shape
from scalargrad.system.files import file_path, write_atomically
from scalargrad.system.packages import optional_dependency

__all__ = ["load_file", "load_metadata", "load_model", "save_file", "save_model"]


AnyPath = str | os.PathLike[str]

#: Types of numbers that can be loaded.
_READABLE = {"F64", "F32", "F16"}
#: The key of the metadata in the header of a file.
_HEADER = "__metadata__"
#: Maximum number of dimensions of a tensor in a file.
_MAX_DIMENSIONS = 8
#: Maximum number of empty lists in a tensor in a file.
_MAX_EMPTY_LISTS = 1_000_000


def save_file(
    tensors: Mapping[str, Any], path: AnyPath, metadata: Mapping[str, str] | None = None
) -> None:
    """Write named tensors to a safetensors file, atomically.

    Parameters
    ----------
    tensors : mapping from str to float, nested lists of float, or array
        The numbers, such as the result of `Module.state_dict`. They are saved as 64-bit floats,
        without rounding.
    path : str or path
        The file. An existing file is replaced.
    metadata : mapping from str to str, optional
        Text for the header of the file.

    Raises
    ------
    MissingPackageError
        If safetensors is not installed.
    StateError
        If an entry is not a rectangle of numbers.
    OSError
        If the file cannot be written; an existing file is not changed.

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
    named = check_mapping(tensors, "tensors", "numbers by name").items()
    arrays = {check_text(name, "the name of a tensor"): _as_array(name, x) for name, x in named}
    write_atomically(path, save(arrays, metadata=_check_metadata(metadata) or None))


def _as_array(name: str, numbers: Any) -> Any:
    """Return the numbers of one entry as an array; `name` is used in messages."""
    import numpy as np

    if name == _HEADER:
        raise StateError(f"{name} is reserved by the file format; choose another name")
    numbers = numbers.tolist() if hasattr(numbers, "tolist") else numbers
    try:
        if number_shape(numbers, ()) is not None or not list(flatten_nested(numbers)):
            return np.array(numbers, dtype=np.float64)
    except (ValueError, OverflowError):  # ragged lists without numbers, or a huge integer
        pass
    raise StateError(f"{name} cannot be saved, because it is not a rectangle of numbers (float)")


def _check_metadata(metadata: Any) -> dict[str, str]:
    """Return the metadata as a dict, after checking that it contains only text."""
    items = {} if metadata is None else check_mapping(metadata, "metadata", "text by name")
    return {
        check_text(name, "a name in metadata"): check_text(x, f"metadata[{name!r}]")
        for name, x in items.items()
    }


def load_file(path: AnyPath) -> dict[str, Any]:
    """Read the named tensors of a safetensors file, ours or PyTorch's.

    Parameters
    ----------
    path : str or path
        The file, which may contain 64-, 32- and 16-bit floats.

    Returns
    -------
    dict from str to float or nested lists of float
        The numbers, as an argument of `Module.load_state_dict`.

    Raises
    ------
    StateError
        If the file is damaged, is not a safetensors file, or contains numbers of another type.
    MissingPackageError
        If safetensors is not installed.
    FileNotFoundError
        If the file does not exist.

    Notes
    -----
    The format contains only numbers and text: loading a file never runs code from it.
    """
    with _open_safetensors(path) as file:
        return {name: _read_tensor(file, name, path) for name in file.keys()}  # noqa: SIM118


def load_metadata(path: AnyPath) -> dict[str, str]:
    """Read the metadata of a safetensors file; it raises the same errors as `load_file`.

    Returns
    -------
    dict from str to str
        In a file written by `save_model`, ``architecture`` is the repr of the module.
    """
    with _open_safetensors(path) as file:
        return dict(file.metadata() or {})


def save_model(model: Module, path: AnyPath, metadata: Mapping[str, str] | None = None) -> None:
    """Save the parameters of a module, with its architecture, to a safetensors file.

    Parameters
    ----------
    model : Module
        The module whose `state_dict` is saved.
    path : str or path
        The file. An existing file is replaced atomically.
    metadata : mapping from str to str, optional
        Additional text for the header.

    Raises
    ------
    MissingPackageError
        If safetensors is not installed.
    OSError
        If the file cannot be written; an existing file is not changed.

    Notes
    -----
    ``safetensors.torch.load_file`` reads the file, and the result can be loaded into a PyTorch
    model of the same architecture.

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
    check_instance(model, "model", Module, "a Module")
    header = {"format": "pt", "architecture": repr(model)}  # PyTorch's readers expect "pt"
    save_file(model.state_dict(), path, {**_check_metadata(metadata), **header})


def load_model(model: Module, path: AnyPath, strict: bool = True) -> IncompatibleKeys:
    """Load parameters from a safetensors file into a module of the same architecture.

    Parameters
    ----------
    model : Module
        The module whose parameters are set. On an error, none of them is changed.
    path : str or path
        A file written by `save_model` or by PyTorch.
    strict : bool
        Require the same names and, if the file contains the architecture, the same architecture.

    Returns
    -------
    IncompatibleKeys
        The names missing from the file, and its unexpected names.

    Raises
    ------
    StateError
        If the file is damaged, has another format, or does not fit; see `Module.load_state_dict`.
    MissingPackageError
        If safetensors is not installed.
    FileNotFoundError
        If the file does not exist.
    """
    check_instance(model, "model", Module, "a Module")
    check_flag(strict, "strict")
    state = load_file(path)
    saved = load_metadata(path).get("architecture", repr(model))
    if strict and saved != repr(model) and _same_shapes(model.state_dict(), state):
        raise StateError(
            f"the shapes in {path} fit, but it was saved from another architecture:\n{saved}\n"
            f"It cannot be loaded into\n{model!r}\nPass strict=False to load it anyway"
        )
    return model.load_state_dict(state, strict)


def _same_shapes(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    return a.keys() == b.keys() and all(number_shape(a[k], ()) == number_shape(b[k], ()) for k in a)


@contextmanager
def _open_safetensors(path: AnyPath) -> Iterator[Any]:
    """Open a safetensors file; the package checks its header before anything is read."""
    with optional_dependency("saving and loading weights needs"):
        from safetensors import SafetensorError, safe_open
    if Path(file_path(path)).is_dir():
        raise StateError(f"{path} is a folder; give the path of a file written by save_model")
    try:
        with safe_open(file_path(path), framework="numpy") as file:
            yield file
    except SafetensorError as error:
        raise StateError(
            f"{path} is not a complete safetensors file ({error}): it may be truncated or have "
            "another format; save it again with save_model"
        ) from error


def _read_tensor(file: Any, name: str, path: AnyPath) -> Any:
    """Read one tensor, after checking its shape and type."""
    entry = file.get_slice(name)
    shape, kind = entry.get_shape(), entry.get_dtype()
    before_empty = shape[: shape.index(0)] if 0 in shape else []
    if len(shape) > _MAX_DIMENSIONS or math.prod(before_empty) > _MAX_EMPTY_LISTS:
        raise StateError(
            f"{path}: {name} has the shape {format_shape(shape)}, which is too large for weights"
        )
    if kind not in _READABLE:
        raise StateError(f"{path}: {name} has the type {kind}; save it as 64- or 32-bit floats")
    return file.get_tensor(name).astype("float64").tolist()
