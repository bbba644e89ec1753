"""Ratios inside one run: what is measured and its baseline take turns, so that the machine treats both alike."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from typing import Any


def seconds(work: Callable[[], object]) -> float:
    """Return how long something took."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def work_seconds(work: Callable[[], object]) -> float:
    """Return how long this process worked on something: what else the machine does does not count, nor does waiting."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def ratio(
    ours: Callable[[], object],
    baseline: Callable[[], object],
    rounds: int = 5,
    measured: Callable[[Callable[[], object]], float] = seconds,
) -> dict[str, float]:
    """Return the median over rounds of (baseline's time / our time), and both medians in seconds. Above 1: faster."""
    ours(), baseline()  # warm
    pairs = [(measured(ours), measured(baseline)) for _ in range(rounds)]
    return {
        "ratio": round(statistics.median(theirs / mine for mine, theirs in pairs), 3),
        "lowest": round(min(theirs / mine for mine, theirs in pairs), 3),
        "highest": round(max(theirs / mine for mine, theirs in pairs), 3),
        "ours_seconds": round(statistics.median(mine for mine, _ in pairs), 6),
        "baseline_seconds": round(statistics.median(theirs for _, theirs in pairs), 6),
    }


def report(what: str, against: str, goal: str, **found: Any) -> None:
    """Print one measurement as a line of JSON."""
    print(json.dumps({"what": what, "against": against, "goal": goal} | found))  # noqa: T201 - a benchmark's product
