"""Where the laboratory data lie."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def laboratory(shared) -> Path:
    """The folder of measured spectra; tests that need it are skipped where it is absent."""
    if not (shared / "data").is_dir():
        pytest.skip(f"no laboratory data at {shared / 'data'} (set IONICS_SHARED)")
    return shared / "data"
