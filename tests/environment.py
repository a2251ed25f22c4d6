"""Settings made before scalargrad is imported: a cache of this run, and the compiler's verifier.

Tests neither read nor write what `jit` stores in the user's cache directory. The compiler verifies
programs after each pass, unless SCALARGRAD_VERIFY says otherwise.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

#: Caches of other libraries in this folder, which take seconds to create.
SHARED_CACHES = ("fontconfig", "matplotlib")

os.environ.setdefault("SCALARGRAD_VERIFY", "1")

if "PYTEST_XDIST_WORKER" not in os.environ:  # workers share the folder of the run
    folder = Path(tempfile.mkdtemp(prefix="scalargrad-tests-"))
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for name in SHARED_CACHES:
        if (usual / name).is_dir():
            (folder / name).symlink_to(usual / name)
    os.environ["XDG_CACHE_HOME"] = str(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
