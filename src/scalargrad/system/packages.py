"""Optional packages: the error when one is needed and not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scalargrad.errors import MissingPackageError

#: Packages that are installed by another name than they are imported by.
_DISTRIBUTIONS = {"PIL": "pillow", "fpdf": "fpdf2", "sklearn": "scikit-learn"}


@contextmanager
def optional_dependency(by: str) -> Iterator[None]:
    """Turn a failed import in the block into an error that says what to install.

    Parameters
    ----------
    by : str
        What needs the package, with its verb: ``"plots need"``.

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
    except MissingPackageError:  # what is imported says already what it needs
        raise
    except ImportError as error:
        module = (error.name or "").partition(".")[0]
        package = _DISTRIBUTIONS.get(module, module.replace("_", "-"))
        raise MissingPackageError(f"{by} {package}: python -m pip install {package}") from error
