"""Optional packages: the error when a required one is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scalargrad.errors import MissingPackageError

#: Names of packages on PyPI that differ from their import names.
_DISTRIBUTIONS = {"PIL": "pillow", "fpdf": "fpdf2", "sklearn": "scikit-learn"}


@contextmanager
def optional_dependency(by: str) -> Iterator[None]:
    """Replace an ImportError in the block by an error that says what to install.

    Parameters
    ----------
    by : str
        Start of the message, with a verb: ``"plots need"``.

    Raises
    ------
    MissingPackageError
        If an import in the block fails.

    Examples
    --------
    >>> with optional_dependency("this needs"):
    ...     import no_such
    Traceback (most recent call last):
        ...
    scalargrad.errors.MissingPackageError: this needs no-such: python -m pip install no-such
    """
    try:
        yield
    except MissingPackageError:  # raised by an inner block, and complete
        raise
    except ImportError as error:
        module = (error.name or "").partition(".")[0]
        package = _DISTRIBUTIONS.get(module, module.replace("_", "-"))
        raise MissingPackageError(f"{by} {package}: python -m pip install {package}") from error
