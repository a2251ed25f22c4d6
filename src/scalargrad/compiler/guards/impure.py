"""Library functions whose results or effects a program could not repeat: clocks, files, locks.

While a function is traced, calls of them are refused (`trace.effects`), and so is captured state
that holds one of them under another name (`refused`).
"""

from __future__ import annotations

from datetime import date
from types import ModuleType
from typing import Any

from scalargrad.system.attributes import get_attribute

CLOCK, READ, WRITE = "clock", "read", "write"
#: Functions of modules: the module, what a program could not repeat of them, and their names.
FUNCTIONS = (
    (
        "time",
        CLOCK,
        (
            "time time_ns perf_counter perf_counter_ns monotonic monotonic_ns process_time "
            "process_time_ns thread_time thread_time_ns localtime gmtime ctime asctime strftime "
            "clock_gettime clock_gettime_ns"
        ),
    ),
    ("uuid", CLOCK, "uuid1 uuid4"),
    ("secrets", CLOCK, "choice randbelow randbits token_bytes token_hex token_urlsafe"),
    ("builtins", READ, "open input"),
    ("io", READ, "open"),
    (
        "os",
        READ,
        (
            "access fstat getcwd getcwdb getenv getenvb getloadavg listdir lstat open pread read "
            "readlink scandir stat statvfs times urandom"
        ),
    ),
    (
        "os",
        WRITE,
        (
            "chdir chmod chown execv execve fork forkpty kill killpg link makedirs mkdir mkfifo "
            "popen posix_spawn posix_spawnp putenv pwrite remove rename replace rmdir spawnv "
            "spawnve spawnvp symlink system truncate unlink unsetenv utime write"
        ),
    ),
    ("bz2", READ, "open"),
    ("lzma", READ, "open"),
    ("tarfile", READ, "open bltn_open"),
    ("sqlite3", READ, "connect"),
    ("glob", READ, "glob iglob"),
    ("decimal", READ, "getcontext"),
    ("numpy", READ, "fromfile genfromtxt get_printoptions geterr getbufsize load loadtxt"),
    ("numpy", WRITE, "save savetxt savez savez_compressed seterr setbufsize"),
    ("numpy.random", READ, "get_state"),
    ("pandas", READ, "read_csv read_excel read_json read_parquet"),
    ("csv", READ, "field_size_limit"),
    ("importlib", READ, "reload"),
    ("gc", READ, "get_count get_objects get_stats get_threshold"),
    ("locale", READ, "getlocale localeconv"),
    ("random", READ, "getstate"),
    ("shutil", READ, "disk_usage get_terminal_size which"),
    ("signal", READ, "getsignal"),
    ("socket", READ, "create_connection getdefaulttimeout gethostbyname gethostname"),
    ("sys", READ, "get_int_max_str_digits getrecursionlimit getsizeof getswitchinterval gettrace"),
    ("threading", READ, "active_count enumerate get_ident"),
    ("timeit", CLOCK, "default_timer"),
    ("tracemalloc", READ, "get_traced_memory is_tracing"),
    (
        "torch",
        READ,
        "rand randn randint randperm rand_like randn_like normal bernoulli multinomial",
    ),
)
#: Methods of classes of libraries that are written in Python, in the same form.
METHODS = (
    ("os._Environ", READ, "__getitem__ __iter__ __len__"),
    ("os._Environ", WRITE, "__setitem__ __delitem__"),
    (
        "pathlib.Path",
        READ,
        "exists glob is_dir is_file iterdir lstat open read_bytes read_text rglob stat walk",
    ),
    (
        "pathlib.Path",
        WRITE,
        (
            "chmod hardlink_to mkdir rename replace rmdir symlink_to touch unlink write_bytes "
            "write_text"
        ),
    ),
    ("argparse.ArgumentParser", READ, "parse_args parse_known_args"),
    ("random.Random", READ, "getstate"),
    ("threading.Event", READ, "is_set wait"),
    ("threading.Event", WRITE, "clear set"),
    ("threading.Semaphore", READ, "acquire"),
    ("threading.Condition", READ, "wait wait_for"),
    ("threading.Barrier", READ, "wait"),
    ("logging.Logger", READ, "isEnabledFor getEffectiveLevel hasHandlers"),
    ("subprocess.Popen", WRITE, "__init__"),
    ("socket.socket", WRITE, "__init__"),
)
#: Functions that are known by their names in code alone, since guards would change their results.
_NAMED = {
    "builtins": "eval exec globals __import__",
    "sys": "modules _getframe",
    "importlib": "import_module",
    "inspect": "getmodule currentframe stack",
}
_PATHS = {f"{module}.{x}" for module, _, names in FUNCTIONS for x in names.split()}
_PATHS |= {f"{owner}.{x}" for owner, _, names in METHODS for x in names.split()}
_PATHS |= {"posix." + x.removeprefix("os.") for x in _PATHS if x.startswith("os.")}
_PATHS |= {f"{module}.{x}" for module, names in _NAMED.items() for x in names.split()}
_PATHS |= {"_decimal.getcontext"}
#: Methods of dates and of classes derived from them that read the clock.
TODAY = {"now", "today", "utcnow"}


def path_of(function: Any) -> str:
    """Return the full name of a function, such as ``time.time`` or ``datetime.datetime.now``."""
    name = get_attribute(function, "__qualname__", "")
    module = get_attribute(function, "__module__")
    owner = get_attribute(function, "__self__")
    if module is None and not isinstance(owner, ModuleType):
        module = get_attribute(owner, "__module__")
    return f"{module or ''}.{name}"


def is_impure(function: Any) -> bool:
    """Return True if the results or effects of a function differ from call to call."""
    name, owner = get_attribute(function, "__name__", ""), get_attribute(function, "__self__")
    if (
        isinstance(name, str)
        and name in TODAY
        and isinstance(owner, type)
        and issubclass(owner, date)
    ):
        return True
    return path_of(function) in _PATHS


def is_impure_path(path: str) -> bool:
    """Return True if a full name is that of such a function."""
    return path in _PATHS or is_clock_of_dates(path)


def is_clock_of_dates(path: str) -> bool:
    """Return True for ``datetime.datetime.now`` and the like."""
    module, _, name = path.rpartition(".")
    return name in TODAY and module in {"datetime.datetime", "datetime.date"}
