"""Compare with a reference, and keep what was compared for the pictures of docs/validation.

With IONICS_VALIDATION set to a folder, every comparison and every curve becomes a line of JSON in it, one file a case.
"""

import json
import os
from pathlib import Path

import numpy as np

CASES = {  # code: what it is, where the numbers come from
    "A01": ("Gouy-Chapman double layer", "φ = 4 RT/F artanh(tanh(Fφ₀/4RT) exp(-x/λ)), q = √(8εRTc) sinh(Fφ₀/2RT)"),
    "A02": (
        "Steric double layer",
        "q = 2Fcλ √(2/ν ln(1 + 2ν sinh²(Fφ₀/2RT))); Kilic, Bazant, Ajdari, Phys. Rev. E 75 (2007) 021502",
    ),
    "A03": ("Space charge of a lattice gas", "q = -sgn(u) √(2εRTN [ln(1 - θ + θ exp(-u)) + θu]); R by quadrature"),
    "A04": ("Depletion layer of a doped conductor", "q = √(2εRTN (exp(-u) + u - 1)); R by quadrature"),
    "A05": (
        "Binary electrolyte between blocking plates",
        "Macdonald 1953; Bazant, Thornton, Ajdari, Phys. Rev. E 70 (2004) 021506",
    ),
    "A06": ("Blocking cell after a small step", "poles of tanh(kL)/k = -sL/(Dκ²); Bazant, Thornton, Ajdari 2004"),
    "A08": ("One ion between reversible electrodes", "linear Poisson-Nernst-Planck, Stern layers and Butler-Volmer"),
    "A09": ("Mixed conductor", "transmission line; Jamnik, Maier, J. Electrochem. Soc. 146 (1999) 4183"),
    "A10": ("Warburg and Gerischer elements", "Z₀ coth(√s)/√s, Z₀ tanh(√s)/√s, Z₀ √(D/L²)/√(k + iω)"),
    "A11": ("Butler-Volmer kinetics", "i = i₀ [exp(αFη/RT) - exp(-(1 - α)Fη/RT)]"),
    "A13": ("Cottrell, Sand and the limiting current of a slab", "i = Fc √(D/πt), t = πD (Fc/2j)²"),
    "A14": ("Intercalation at constant current", "Carslaw, Jaeger, Conduction of Heat in Solids (1959), 3.8"),
    "A17": ("Donnan equilibrium of a charged layer", "φ = RT/F arsinh(X/2c)"),
    "A18": ("pn junction", "built-in potential; field from the first integral"),
    "A19": ("Ionic heterojunction", "first integrals of both sides, one charge"),
    "A21": ("Frumkin isotherm", "E = E₀ - RT/F [ln(x/(1 - x)) + g(x - 1/2)]"),
    "A22": ("Regular solution with two phases", "Cahn, Hilliard, J. Chem. Phys. 28 (1958) 258"),
    "A23": ("Stress in films and spheres", "clamped film, Stoney curvature, sphere under constant flux"),
    "A24": ("Hebb-Wagner polarisation", "i = RT/FL [σₑ(1 - exp(-FV/RT)) + σₕ(exp(FV/RT) - 1)]"),
    "A25": ("Bernoulli function and constant-field flux", "Goldman 1943; Scharfetter, Gummel 1969"),
    "A26": ("Dielectrics with a sheet charge", "Gauss' law"),
    "A27": ("Blocking cell after a large step", "collocation with 96 points; Bazant, Thornton, Ajdari 2004"),
    "B01": (
        "Li₃PO₄ under current",
        "quasi-neutral weak electrolyte; Danilov, Niessen, Notten, J. Electrochem. Soc. 158 (2011) A215",
    ),
    "B02": ("Li | Li₃PO₄ | LiCoO₂ at 10C", "Kim et al. 2019"),
    "B03": ("Li | Li₃PO₄ | LiCoO₂ at six rates", "Danilov, Niessen, Notten 2011"),
    "C01": ("Lithium metal on a site-limited electrolyte", "Swift, Swift, Qi 2021; first integral and quadrature"),
    "C02": ("pn junction under light, permittivity step", "COMSOL table of Sesame's second test, four digits"),
    "C03": ("Grain boundary of Gd-doped CeO₂", "pyscses, tests 1 and 2"),
    "D01": (
        "Salts of unequal ions between blocking plates",
        "linear Poisson-Nernst-Planck equations, eigenvalues of a small matrix",
    ),
    "D02": (
        "Binary electrolyte between reversible plates",
        "linear Poisson-Nernst-Planck equations with compact layers and Butler-Volmer",
    ),
    "D03": (
        "Junctions of several ions at open circuit",
        "Planck, Ann. Phys. 276 (1890) 561; Goldman, J. Gen. Physiol. 27 (1943) 37",
    ),
    "D04": (
        "Heterojunction of two mixed conductors",
        "neutral bulks by roots; first integrals of both sides, one charge",
    ),
    "D05": (
        "Steric electrolyte after a large step",
        "spectral collocation of the equations of Kilic, Bazant, Ajdari, Phys. Rev. E 75 (2007) 021503",
    ),
    "D06": (
        "Frumkin-corrected Butler-Volmer under current",
        "collocation of the equations of Bazant, Chu, Bayly, SIAM J. Appl. Math. 65 (2005) 1463",
    ),
}


def compare(case, quantity, computed, expected, rel, scale=None):
    """Assert |computed - expected| <= rel * scale everywhere; scale: |expected| unless given. Complex numbers too."""
    computed, expected = np.broadcast_arrays(np.asarray(computed), np.asarray(expected))
    size = np.broadcast_to(np.abs(expected) if scale is None else np.asarray(scale), computed.shape)
    error = np.abs(computed - expected) / size
    worst = np.unravel_index(np.argmax(error), error.shape)  # NaN counts as the largest
    _keep(case, quantity=quantity, error=float(error[worst]), tolerance=rel, count=int(error.size))
    assert error[worst] <= rel, f"{case} {quantity}: {computed[worst]} instead of {expected[worst]}"


def curve(case, name, axes, computed=None, exact=None, scales=("linear", "linear")):
    """Keep a curve for the picture: (x, y) of ours and of the reference; axes: their labels with units."""
    pairs = {
        which: [np.asarray(values, float).tolist() for values in pair]
        for which, pair in (("computed", computed), ("exact", exact))
        if pair is not None
    }
    _keep(case, curve=name, axes=axes, scales=scales, **pairs)


def spectrum(case, name, frequency, z, exact_frequency, exact):
    """Keep both parts of an impedance [Ohm m2] over the frequency [Hz]."""
    axes = ("frequency [Hz]", "Re Z, −Im Z [Ω m²]")
    for part, of in (("Re Z", np.real), ("−Im Z", lambda z: -np.imag(z))):
        label = f"{name} {part}".strip()
        curve(case, label, axes, (frequency, of(z)), (exact_frequency, of(exact)), ("log", "log"))


def nyquist(case, name, z, exact):
    """Keep an impedance [Ohm m2] in the complex plane."""
    axes = ("Re Z [Ω m²]", "−Im Z [Ω m²]")
    curve(case, name, axes, (np.real(z), -np.imag(z)), (np.real(exact), -np.imag(exact)))


def _keep(case, **line):
    assert case in CASES, f"{case} is not in the table of cases"
    folder = os.environ.get("IONICS_VALIDATION")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with (Path(folder) / f"{case}.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
