"""Solid-state battery interfaces: from atoms and spectra to continuum parameters and back.

    study = ionics.load("configs/thin_film_cell.yaml")
    result = study.run()               # an xarray Dataset
    result.ionics.plot_nyquist()
    fit = ionics.load("configs/fit_pellet.yaml").fit("spectrum.csv")

Nothing heavy is imported until it is used.
"""

from __future__ import annotations

__version__ = "0.1.0"

_PUBLIC = {
    "load": ("ionics.config.study", "load"),
    "Study": ("ionics.config.study", "Study"),
    "open_result": ("ionics.report", "open_result"),
    "compare": ("ionics.comparison", "compare"),
    "write_result": ("ionics.report", "write_result"),
    "read_spectrum": ("ionics.fitting.files.readers", "read_spectrum"),
    "read_spectra": ("ionics.fitting.files.readers", "read_spectra"),
    "read_series": ("ionics.fitting.files.folder", "read_series"),
    "read_cycling": ("ionics.fitting.files.cycling", "read_cycling"),
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'ionics' has no attribute {name!r}; it has {', '.join(__all__)}")
    import importlib

    module, attribute = _PUBLIC[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
