"""Float64, one compilation cache for all tests, and the reference numbers where they are at hand."""

import json
import os
from pathlib import Path

import jax
import pytest

# What tests wait for is the compiler, and code that is not optimised is compiled four times faster.
FLAGS = ["--xla_backend_optimization_level=0"]
FLAGS += ["--xla_cpu_use_fusion_emitters=false"] if jax.__version_info__ < (0, 11) else []
os.environ.setdefault("XLA_FLAGS", " ".join(FLAGS))

jax.config.update("jax_enable_x64", True)
jax.config.update(
    "jax_compilation_cache_dir", os.environ.get("IONICS_TEST_CACHE", str(Path(__file__).parents[1] / ".jax_cache"))
)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@pytest.fixture(autouse=True, scope="module")
def forgotten():
    """What a module compiled goes with it: all of it together takes more memory mappings than a process may have."""
    yield
    jax.clear_caches()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Reference numbers and laboratory data beside the project; a clone does not have them."""
    path = Path(os.environ.get("IONICS_SHARED", Path(__file__).parents[1].parent / "shared"))
    if not path.is_dir():
        pytest.skip(f"no reference data at {path} (set IONICS_SHARED)")
    return path


@pytest.fixture(scope="session")
def reference(shared) -> dict:
    """The validation cases, by their code."""
    return json.loads((shared / "validation" / "reference.json").read_text())
