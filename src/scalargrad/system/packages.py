"""Optional packages: what is said where one is needed and not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scalargrad.errors import MissingPackageError


@contextmanager
def needed(by: str, extra: str) -> Iterator[None]:
    """Turn a failed import in the block into an error that says what to install.

    Parameters
    ----------
    by : str
        What needs the package, with its verb: ``"plots need"``.
    extra : str
        The extra of scalargrad that brings it.

    Raises
    ------
    MissingPackageError
        If an import in the block fails.

    Examples
    --------
    >>> with needed("this example needs", "data"):  # doctest: +ELLIPSIS
    ...     import no_such_package
    Traceback (most recent call last):
        ...
    scalargrad.errors.MissingPackageError: this example needs no_such_package: pip ...
    """
    try:
        yield
    except MissingPackageError:  # what is imported says already what it needs
        raise
    except ImportError as error:
        raise MissingPackageError(
            f"{by} {error.name}: pip install 'scalargrad[{extra}]'"
        ) from error
