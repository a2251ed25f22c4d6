"""Settings made before scalargrad is imported: a cache folder, a verifier, no llvmlite.

Tests do not read or write the compiled code in the user's cache folder. With TESTS_WITHOUT_LLVM=1,
llvmlite cannot be imported, and tests marked *native* are skipped. The compiler verifies programs
after each pass, unless SCALARGRAD_VERIFY is set differently.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

#: Caches of other libraries in this folder, which take seconds to create.
SHARED_CACHES = ("fontconfig", "matplotlib")

os.environ.setdefault("SCALARGRAD_VERIFY", "1")

WITHOUT_LLVM = bool(os.environ.get("TESTS_WITHOUT_LLVM"))

if "PYTEST_XDIST_WORKER" not in os.environ:  # workers share the folder of the main process
    folder = Path(tempfile.mkdtemp(prefix="scalargrad-tests-"))
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for name in SHARED_CACHES:
        if (usual / name).is_dir():
            (folder / name).symlink_to(usual / name)
    os.environ["XDG_CACHE_HOME"] = str(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

if WITHOUT_LLVM:
    sys.modules["llvmlite"] = None  # type: ignore[assignment]
