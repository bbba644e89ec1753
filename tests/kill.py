"""Kill -9 of some work before each of its lines: `python -m tests.kill MODULE:FUNCTION FILES ARGUMENT...`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import count
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

ROOT = Path(__file__).parents[1]
Work = Callable[[], object]


@contextmanager
def killer(work: Callable[..., Work], lines_of: list[ModuleType], *arguments: str) -> Iterator[Callable[[int], bool]]:
    """Return what does the work in a process that is killed before it does its n-th line of these modules.

    It returns whether the work came to its end before that. `work` is a function of a module that takes texts, and
    returns what is done.
    """
    files = os.pathsep.join(str(module.__file__) for module in lines_of)
    command = [sys.executable, "-m", "tests.kill", f"{work.__module__}:{work.__name__}", files, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def before(line: int) -> bool:
            assert process.stdin
            assert process.stdout
            print(line, file=process.stdin, flush=True)
            said = process.stdout.readline().strip()
            assert said in {"killed", "ended"}, "it failed: see above"
            return said == "ended"

        yield before


def _killed(line: int, work: Callable[..., Work], files: set[str], arguments: list[str]) -> int:
    """Work in a process of its own; return its exit code."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    lines = count(1)

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename not in files:
            return None
        if event == "line" and next(lines) == line:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    begun = work(*arguments)
    sys.settrace(trace)
    begun()
    os._exit(0)


if __name__ == "__main__":
    _, named, within, *given = sys.argv
    module, _, function = named.partition(":")
    for asked in sys.stdin:
        code = _killed(int(asked), getattr(import_module(module), function), set(within.split(os.pathsep)), given)
        sys.stdout.write({0: "ended\n", -signal.SIGKILL: "killed\n"}.get(code, "failed\n"))
        sys.stdout.flush()
