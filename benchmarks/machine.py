"""What the benchmarks say of the machine they ran on."""

from __future__ import annotations

import contextlib
import platform
from pathlib import Path


def processor() -> str:
    """Name of the CPU."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.machine()
