"""Every mistake gives one message: file, line, dotted key, the value, and what would be valid."""

import pytest

from ionics.config import ConfigError

from .files import CELL, CERAMIC, CIRCUIT, MIXED, line, read

# name: (text, what stands there, what is written instead, dotted key, value as shown, words of the message)
MISTAKES = {
    "an unknown key is met with the nearest one": (
        CELL,
        "      thickness: 3.62 um",
        "      thicknes: 3.62 um",
        "stack.layers.electrolyte.thicknes",
        "3.62 um",
        ["unknown key", "did you mean thickness?"],
    ),
    "an unknown key at the top": (CELL, "area:", "aera:", "aera", "3.36 cm^2", ["unknown key", "did you mean area?"]),
    "an unknown key of a junction": (
        CELL,
        "      space_charge_potential: 0.05 V",
        "      space_charge: 0.05 V",
        "stack.junctions.electrolyte | cathode.space_charge",
        "0.05 V",
        ["unknown key", "did you mean space_charge_potential?"],
    ),
    "a missing unit": (
        CELL,
        "      thickness: 3.62 um",
        "      thickness: 3.62e-6",
        "stack.layers.electrolyte.thickness",
        "3.62e-6",
        ["the unit is missing", "e.g. 3.62e-06 nm"],
    ),
    "a missing unit of a temperature": (
        CELL,
        "temperature: 293.15 K",
        "temperature: 293.15",
        "temperature",
        "293.15",
        ["the unit is missing", "a temperature with its unit"],
    ),
    "a unit that does not exist": (
        CELL,
        "8.08 um",
        "8.08 umm",
        "stack.layers.cathode.thickness",
        "8.08 umm",
        ["unknown unit 'umm'", "did you mean um?"],
    ),
    "a power without its sign": (
        CELL,
        "Li+: {conductivity: 1.109e-4 S/m}",
        "Li+: {diffusivity: 1e-12 cm2/s}",
        "materials.my lipon.carriers.Li+.diffusivity",
        "1e-12 cm2/s",
        ["unknown unit 'cm2'", "did you mean cm^2/s?"],
    ),
    "a negative power without its sign": (
        CELL,
        "Li+: {conductivity: 1.109e-4 S/m}",
        "Li+: {diffusivity: 1e-12 m2 s-1}",
        "materials.my lipon.carriers.Li+.diffusivity",
        "1e-12 m2 s-1",
        ["is not a unit", "did you mean m^2 s^-1?"],
    ),
    "a wrong dimension": (
        CELL,
        "8.08 um",
        "8.08 um^2",
        "stack.layers.cathode.thickness",
        "8.08 um^2",
        ["'um^2' is not a length [m]", "5 nm"],
    ),
    "a diffusivity given as a conductivity": (
        CELL,
        "diffusivity: 2.1e-14 m^2/s",
        "diffusivity: 2.1e-14 S/m",
        "materials.host.carriers.Li.diffusivity",
        "2.1e-14 S/m",
        ["is not a diffusivity [m^2/s]"],
    ),
    "a negative thickness": (
        CELL,
        "3.62 um",
        "-3.62 um",
        "stack.layers.electrolyte.thickness",
        "-3.62 um",
        ["must be positive"],
    ),
    "a zero thickness": (CELL, "3.62 um", "0 um", "stack.layers.electrolyte.thickness", "0 um", ["must be positive"]),
    "a thickness that is not a number": (
        CELL,
        "3.62 um",
        ".nan",
        "stack.layers.electrolyte.thickness",
        ".nan",
        ["not a finite number"],
    ),
    "an infinite thickness": (CELL, "3.62 um", "inf m", "stack.layers.electrolyte.thickness", "inf m", ["finite"]),
    "a thickness in words": (
        CELL,
        "3.62 um",
        "thin",
        "stack.layers.electrolyte.thickness",
        "thin",
        ["not a number with a unit", "e.g. 5 nm"],
    ),
    "a truth value for a length": (
        CELL,
        "3.62 um",
        "true",
        "stack.layers.electrolyte.thickness",
        "true",
        ["not a quantity"],
    ),
    "a decimal comma": (CELL, "3.62 um", "3,62 um", "stack.layers.electrolyte.thickness", "3,62 um", ["not a unit"]),
    "a temperature below absolute zero": (
        CELL,
        "293.15 K",
        "-300 degC",
        "temperature",
        "-300 degC",
        ["must be positive"],
    ),
    "a permittivity below that of vacuum": (
        CELL,
        "permittivity: 13.2",
        "permittivity: 0.5",
        "materials.my lipon.permittivity",
        "0.5",
        ["must be at least 1"],
    ),
    "a transfer coefficient above one": (CELL, "alpha: 0.4", "alpha: 1.4", "stack.left.alpha", "1.4", ["below 1"]),
    "an occupancy above one": (
        CERAMIC,
        "occupancy: 25 %",
        "occupancy: 125 %",
        "materials.grain.carriers.Li+.occupancy",
        "125 %",
        ["must be below 1", "each site holds one"],
    ),
    "an unknown material": (
        CELL,
        "material: host",
        "material: LiCoO",
        "stack.layers.cathode.material",
        "LiCoO",
        ["unknown material", "did you mean LiCoO2?", "my lipon"],
    ),
    "an unknown material to start from": (
        CELL,
        "like: LiPON",
        "like: lipn",
        "materials.my lipon.like",
        "lipn",
        ["unknown material", "did you mean LiPON?"],
    ),
    "a material that is like itself in a circle": (
        CERAMIC,
        "    permittivity: 20",
        "    like: core",
        "materials.grain.like",
        "core",
        ["circle", "grain -> core"],
    ),
    "a metal as a layer": (
        CELL,
        "material: host",
        "material: Li",
        "stack.layers.cathode.material",
        "Li",
        ["cannot be a layer", "contact: lithium"],
    ),
    "a missing key": (
        CELL,
        "      material: my lipon\n",
        "",
        "stack.layers.electrolyte.material",
        "nothing",
        ["required key missing", "material: LiPON"],
    ),
    "a missing temperature": (
        CELL,
        "temperature: 293.15 K\n",
        "",
        "temperature",
        "nothing",
        ["required key missing", "temperature: 298.15 K"],
    ),
    "a key without a value": (
        CELL,
        "      thickness: 8.08 um",
        "      thickness:",
        "stack.layers.cathode.thickness",
        "''",
        ["the value is missing"],
    ),
    "a material without permittivity": (
        CERAMIC,
        "    permittivity: 20\n",
        "",
        "materials.grain.permittivity",
        "nothing",
        ["required key missing", "permittivity: 13.2"],
    ),
    "two words for one parameter": (
        CERAMIC,
        "        mu0: 0 eV",
        "        conductivity: 1 S/m",
        "materials.grain.carriers.Li+.diffusivity",
        "{value: 1e-12 m^2/s",
        ["two words for one parameter", "keep one"],
    ),
    "a conductivity of a neutral carrier": (
        CELL,
        "diffusivity: 2.1e-14 m^2/s",
        "conductivity: 1 S/m",
        "materials.host.carriers.Li.conductivity",
        "1 S/m",
        ["a neutral carrier has no conductivity"],
    ),
    "an activation energy without its temperature": (
        CELL,
        "{value: 3.76 A/m^2, activation_energy: 0.5 eV, temperature: 298.15 K}",
        "{value: 3.76 A/m^2, activation_energy: 0.5 eV}",
        "stack.junctions.electrolyte | cathode.reactions.Li+ + e- <-> Li.exchange_current.temperature",
        "nothing",
        ["required key missing", "298.15 K"],
    ),
    "a charge that the name contradicts": (
        CERAMIC,
        "        charge: 1",
        "        charge: 2",
        "materials.grain.carriers.Li+.charge",
        "2",
        ["the name Li+ says +1"],
    ),
    "an open-circuit curve that rises": (
        CELL,
        "[4.2 V, 4.0 V, 3.8 V]",
        "[4.2 V, 4.0 V, 4.1 V]",
        "materials.host.carriers.Li.open_circuit.potential",
        "[4.2 V, 4.0 V, 4.1 V]",
        ["does not decrease at point 3"],
    ),
    "an open-circuit curve with a bare number": (
        CELL,
        "[4.2 V, 4.0 V, 3.8 V]",
        "[4.2 V, 4.0, 3.8 V]",
        "materials.host.carriers.Li.open_circuit.potential[1]",
        "4.0",
        ["the unit is missing"],
    ),
    "an unknown law": (
        CELL,
        "    law: butler-volmer\n",
        "    law: buttler-volmer\n",
        "stack.left.law",
        "buttler-volmer",
        ["unknown choice", "did you mean butler-volmer?"],
    ),
    "a law without its number": (
        CELL,
        "    exchange_current: 5.7503 A/m^2\n    alpha: 0.4\n",
        "",
        "stack.left.exchange_current",
        "nothing",
        ["missing for law butler-volmer", "exchange_current: 1 mA/cm^2"],
    ),
    "a key that the law does not use": (
        CERAMIC,
        "{law: linear, resistance: {value: 10",
        "{law: linear, alpha: 0.5, resistance: {value: 10",
        "stack.junctions.boundary | grain right.carriers.Li+.alpha",
        "0.5",
        ["not used by law linear", "linear takes resistance"],
    ),
    "an unknown contact": (
        CELL,
        "contact: ohmic",
        "contact: ohmc",
        "stack.right.contact",
        "ohmc",
        ["unknown choice", "did you mean ohmic?", "reservoir"],
    ),
    "a lithium contact to a layer without Li+": (
        CELL,
        "contact: ohmic",
        "contact: lithium",
        "stack.right.contact",
        "lithium",
        ["needs Li+ in cathode", "cathode has Li, e-"],
    ),
    "a rate at a blocking contact": (
        CERAMIC,
        "{contact: blocking,",
        "{contact: blocking, law: equilibrium,",
        "stack.left.law",
        "equilibrium",
        ["nothing crosses a blocking contact"],
    ),
    "a junction between layers that do not touch": (
        CELL,
        "    electrolyte | cathode:",
        "    electrolyte | anode:",
        "stack.junctions.electrolyte | anode",
        "electrolyte | anode",
        ["no such junction", "did you mean electrolyte | cathode?"],
    ),
    "a junction written backwards": (
        CELL,
        "    electrolyte | cathode:",
        "    cathode | electrolyte:",
        "stack.junctions.cathode | electrolyte",
        "cathode | electrolyte",
        ["no such junction", "electrolyte | cathode"],
    ),
    "a reaction with an unknown species": (
        CELL,
        "        Li+ + e- <-> Li:",
        "        Na+ + e- <-> Li:",
        "stack.junctions.electrolyte | cathode.reactions.Na+ + e- <-> Li",
        "Na+ + e- <-> Li",
        ["Na+ lives in neither electrolyte nor cathode", "carriers here: Li+, Li, e-"],
    ),
    "a reaction that loses charge": (
        CELL,
        "        Li+ + e- <-> Li:",
        "        Li+ <-> Li:",
        "stack.junctions.electrolyte | cathode.reactions.Li+ <-> Li",
        "Li+ <-> Li",
        ["not balanced", "charge +1"],
    ),
    "a reaction without an arrow": (
        CELL,
        "        Li+ + e- <-> Li:",
        "        Li+ + e-:",
        "stack.junctions.electrolyte | cathode.reactions.Li+ + e-",
        "Li+ + e-",
        ["not a reaction", "'Li+ + e- <-> Li'"],
    ),
    "a reaction whose species live on both sides": (
        CERAMIC,
        "    grain left | boundary: {dipole: 0 V}",
        "    grain left | boundary: {reactions: {Li+ <-> Li+: {law: equilibrium}}}",
        "stack.junctions.grain left | boundary.reactions.Li+ <-> Li+",
        "Li+ <-> Li+",
        ["lives in grain left and in boundary", "Li+(grain left) or Li+(boundary)"],
    ),
    "a carrier that cannot cross": (
        CELL,
        "      space_charge_potential: 0.05 V",
        "      carriers: {Li+: {law: equilibrium}}",
        "stack.junctions.electrolyte | cathode.carriers.Li+",
        "{law: equilibrium}",
        ["does not live in both electrolyte and cathode"],
    ),
    "a dipole beside a space-charge potential": (
        CELL,
        "      space_charge_potential: 0.05 V",
        "      space_charge_potential: 0.05 V\n      dipole: 1 V",
        "stack.junctions.electrolyte | cathode.dipole",
        "1 V",
        ["keep one of the two"],
    ),
    "a constant phase whose unit does not fit n": (
        CELL,
        "Q: 1e-6 S s^0.9/cm^2",
        "Q: 1e-6 S s^0.8/cm^2",
        "stack.junctions.electrolyte | cathode.compact_layer.constant_phase.Q",
        "1e-6 S s^0.8/cm^2",
        ["n = 0.9", "e.g. 1e-6 S s^0.9/cm^2"],
    ),
    "a compact layer that is nothing": (
        CELL,
        "{capacitance: 5.3 mF/m^2}",
        "{}",
        "stack.left.compact_layer",
        "{}",
        ["either a capacitance or a constant phase element"],
    ),
    "a series resistance in ohm without an area": (
        CELL,
        "area: 3.36 cm^2\n",
        "",
        "series_resistance",
        "18.25 ohm",
        ["ohm needs an area"],
    ),
    "two layers of one name": (
        CELL,
        "    - name: cathode",
        "    - name: electrolyte",
        "stack.layers.electrolyte.name",
        "electrolyte",
        ["two layers have this name"],
    ),
    "a repeated unit that does not close": (
        CERAMIC,
        "name: grain right, material: grain",
        "name: grain right, material: core",
        "stack.layers.ceramic.layers.grain right.material",
        "core",
        ["ends in another material", "middle of a grain"],
    ),
    "too few nodes": (CELL, "nodes: 81", "nodes: 2", "stack.layers.electrolyte.nodes", "2", ["at least 5"]),
    "half a node": (
        CELL,
        "nodes: 81",
        "nodes: 80.5",
        "stack.layers.electrolyte.nodes",
        "80.5",
        ["not a whole number"],
    ),
    "an occupancy of a carrier that is not there": (
        CELL,
        "      occupancy: {Li: 0.8}",
        "      occupancy: {Li+: 0.8}",
        "stack.layers.cathode.occupancy.Li+",
        "0.8",
        ["host has no carrier Li+", "did you mean Li?"],
    ),
    "an electrode of unknown filling": (
        CELL.replace("  state_of_charge: {cathode: {Li: 0.8}}\n", ""),
        "      occupancy: {Li: 0.8}\n",
        "",
        "stack.layers.cathode.occupancy",
        "nothing",
        ["how full of Li", "occupancy: {Li: 0.5}"],
    ),
    "a fixed charge that does not balance": (
        CERAMIC,
        "    lattice_spacing: 0.3 nm",
        "    fixed_charge: -100 mol/m^3",
        "materials.grain.fixed_charge",
        "-100 mol/m^3",
        ["the bulk is not neutral"],
    ),
    "a state of charge of an unknown layer": (
        CELL,
        "{cathode: {Li: 0.8}}",
        "{catode: {Li: 0.8}}",
        "study.state_of_charge.catode",
        "{Li: 0.8}",
        ["no such layer", "did you mean cathode?"],
    ),
    "an unknown operating point": (
        CELL,
        "operating_point: {current: 0.1 mA/cm^2}",
        "operating_point: rest",
        "study.operating_point",
        "rest",
        ["unknown operating point", "equilibrium"],
    ),
    "two operating points": (
        CELL,
        "{current: 0.1 mA/cm^2}",
        "{current: 0.1 mA/cm^2, voltage: 1 V}",
        "study.operating_point",
        "{current: 0.1 mA/cm^2, voltage: 1 V}",
        ["one thing is held"],
    ),
    "a current where a current density is needed": (
        CELL,
        "{current: 0.1 mA/cm^2}",
        "{current: 0.1 mA}",
        "study.operating_point.current",
        "0.1 mA",
        ["is not a current density"],
    ),
    "frequencies in the wrong order": (
        CELL,
        "from: 1 mHz, to: 1 MHz",
        "from: 1 MHz, to: 1 mHz",
        "study.impedance.to",
        "1 mHz",
        ["must be above `from`"],
    ),
    "a list where a mapping is needed": (
        CELL,
        "  right: {contact: ohmic}",
        "  right: [ohmic]",
        "stack.right",
        "[ohmic]",
        ["a mapping is needed", "contact"],
    ),
    "a fit without a circuit": (
        CIRCUIT,
        "  circuit: R0-p(R1,CPE1)-CPE2\n",
        "",
        "fit.circuit",
        "nothing",
        ["required key missing"],
    ),
    "bounds in the wrong order": (
        CIRCUIT,
        "[1 ohm, 1e4 ohm]",
        "[1e4 ohm, 1 ohm]",
        "fit.free.R0.bounds",
        "[1e4 ohm, 1 ohm]",
        ["not below the upper"],
    ),
    "a start outside its bounds": (
        CIRCUIT,
        "start: 10 ohm",
        "start: 0.1 ohm",
        "fit.free.R0.start",
        "0.1 ohm",
        ["between 1 ohm and 1e4 ohm"],
    ),
    "a pattern without a group": (
        CIRCUIT,
        "(\\\\d+)deg",
        "\\\\d+deg",
        "fit.series.temperature",
        "s04147",
        ["0 groups"],
    ),
    "an unknown weighting": (CIRCUIT, "{relative: 1 %}", "modulos", "fit.weighting", "modulos", ["modulus"]),
    "an unknown statistics": (
        MIXED,
        "statistics: fermi-dirac",
        "statistics: fermi",
        "materials.host.carriers.e-.statistics",
        "fermi",
        ["unknown choice", "did you mean fermi-dirac?", "regular-solution"],
    ),
    "a regular solution without its interaction": (
        MIXED,
        "        interaction: 0.15 eV\n",
        "",
        "materials.grown.carriers.Li.interaction",
        "nothing",
        ["required key missing", "interaction: 0.04 eV"],
    ),
    "an interaction of carriers that do not interact": (
        MIXED,
        "statistics: regular-solution",
        "statistics: lattice",
        "materials.grown.carriers.Li.interaction",
        "0.15 eV",
        ["not used with statistics lattice", "statistics: regular-solution"],
    ),
    "shared sites of different number": (
        MIXED,
        "sites: 2e4 mol/m^3\n        occupancy: 0.3",
        "sites: 3e4 mol/m^3\n        occupancy: 0.3",
        "materials.host.carriers.Na_i.sites",
        "3e4 mol/m^3",
        ["shares the sites of Li_i", "20000 mol/m^3", "30000 mol/m^3"],
    ),
    "shared sites of carriers that do not fill sites": (
        MIXED,
        "statistics: lattice\n        sublattice",
        "statistics: dilute\n        sublattice",
        "materials.host.carriers.Na_i.sublattice",
        "gaps",
        ["not used with statistics dilute", "lattice or regular-solution"],
    ),
    "more carriers than sites": (
        MIXED,
        "occupancy: 0.3\n",
        "occupancy: 0.95\n",
        "materials.host.carriers.Li_i.occupancy",
        "0.1",
        ["Li_i and Na_i fill 1.05 of the sites of gaps", "less than 1"],
    ),
    "an immobile carrier with a diffusivity": (
        MIXED,
        "occupancy: 0.1}",
        "occupancy: 0.1, diffusivity: 1e-12 m^2/s}",
        "materials.host.carriers.trapped.diffusivity",
        "1e-12 m^2/s",
        ["an immobile carrier has none"],
    ),
    "a diffusivity beside a table of it": (
        MIXED,
        "        diffusivity_over_occupancy:",
        "        diffusivity: 1e-12 m^2/s\n        diffusivity_over_occupancy:",
        "materials.grown.carriers.Li.diffusivity_over_occupancy",
        "{occupancy:",
        ["two words for one parameter", "keep one"],
    ),
    "a table with a column too short": (
        MIXED,
        "[1e-14 m^2/s, 1e-15 m^2/s, 1e-16 m^2/s]",
        "[1e-14 m^2/s, 1e-15 m^2/s]",
        "materials.grown.carriers.Li.diffusivity_over_occupancy.diffusivity",
        "[1e-14 m^2/s, 1e-15 m^2/s]",
        ["2 values for 3 occupancies"],
    ),
    "a table out of order": (
        MIXED,
        "occupancy: [0.1, 0.4, 1]",
        "occupancy: [0.1, 0.1, 1]",
        "materials.grown.carriers.Li.diffusivity_over_occupancy.occupancy",
        "[0.1, 0.1, 1]",
        ["does not increase at point 2"],
    ),
    "a film clamped at no filling": (
        MIXED,
        "          occupancy: 0.5\n          residual",
        "          residual",
        "materials.grown.carriers.Li.stress.occupancy",
        "nothing",
        ["one filling without stress", "occupancy: 0.5, or concentration"],
    ),
    "a bulk reaction that makes charge": (
        MIXED,
        "e- <-> trapped:",
        "h+ <-> trapped:",
        "materials.host.reactions.h+ <-> trapped",
        "h+ <-> trapped",
        ["not balanced", "charge +1 on the left, -1 on the right", "h+ +1, trapped -1"],
    ),
    "a bulk reaction of a carrier that is not there": (
        MIXED,
        "e- <-> trapped:",
        "e- <-> traped:",
        "materials.host.reactions.e- <-> traped",
        "e- <-> traped",
        ["traped is no carrier of the material", "did you mean trapped?"],
    ),
    "a bulk reaction without an arrow": (
        MIXED,
        "e- <-> trapped:",
        "e- -> trapped:",
        "materials.host.reactions.e- -> trapped",
        "e- -> trapped",
        ["not a reaction", "Li+ + e- <-> Li"],
    ),
    "recombination of something else": (
        MIXED,
        "      e- <-> trapped: {law: mass-action, rate_constant: 1e5 mol/m^3/s, equilibrium: standard potentials}",
        "      e- <-> trapped: {law: shockley-read-hall, electron_lifetime: 1 s, hole_lifetime: 1 s, n1: 1/L, p1: 1/L}",
        "materials.host.reactions.e- <-> trapped",
        "e- <-> trapped",
        ["the law of an electron and a hole", "e- + h+ <-> nothing"],
    ),
    "a weak electrolyte written backwards": (
        MIXED,
        "      nothing <-> Li+ + n-:",
        "      Li+ + n- <-> nothing:",
        "materials.salt.reactions.Li+ + n- <-> nothing",
        "Li+ + n- <-> nothing",
        ["frees an ion", "nothing <-> Li+ + n-"],
    ),
    "a bulk law without its number": (
        MIXED,
        "{law: generation, rate: 1e20/cm^3/s}",
        "{law: generation}",
        "materials.host.reactions.nothing <-> e- + h+.rate",
        "nothing",
        ["missing for law generation", "rate: 1 mol/m^3/s"],
    ),
    "a bulk law with a number of another": (
        MIXED,
        "{law: generation, rate: 1e20/cm^3/s}",
        "{law: generation, rate: 1e20/cm^3/s, rate_constant: 1 mol/m^3/s}",
        "materials.host.reactions.nothing <-> e- + h+.rate_constant",
        "1 mol/m^3/s",
        ["not used by law generation", "generation takes rate"],
    ),
    "a rate in the wrong unit": (
        MIXED,
        "rate: 1e20/cm^3/s",
        "rate: 1e20/cm^2/s",
        "materials.host.reactions.nothing <-> e- + h+.rate",
        "1e20/cm^2/s",
        ["is not a rate per volume [mol/m^3/s]"],
    ),
    "an unknown equilibrium": (
        MIXED,
        "equilibrium: standard potentials",
        "equilibrium: standard potential",
        "materials.host.reactions.e- <-> trapped.equilibrium",
        "standard potential",
        ["unknown choice", "did you mean standard potentials?"],
    ),
    "a profile of a carrier that is not there": (
        MIXED,
        "        Li+: {core:",
        "        Li: {core:",
        "stack.layers.sep.profiles.Li",
        "{core:",
        ["salt has no carrier Li", "did you mean Li+?"],
    ),
    "a profile beyond its layer": (
        MIXED,
        "position: 0.5 um",
        "position: 5 um",
        "stack.layers.sep.profiles.Li+.core.position",
        "5 um",
        ["5e-06 m is beyond the layer, which is 1e-06 m thick"],
    ),
    "an empty profile": (
        MIXED,
        "{core: {position: 0.5 um, width: 1 nm, depth: 0.3 eV, diffusivity_factor: 0.1}}",
        "{}",
        "stack.layers.sep.profiles.Li+",
        "{}",
        ["an empty profile"],
    ),
    "two profiles of one energy": (
        MIXED,
        "diffusivity: {position: [0 nm, 2 nm], factor: [0.1, 1]}",
        "core: {position: 1 nm, width: 1 nm, depth: 1 eV}",
        "stack.layers.mixed.profiles.Li_i.core",
        "{position: 1 nm",
        ["given together with an energy table"],
    ),
    "a faster immobile carrier": (
        MIXED,
        "        Li_i:\n          energy",
        "        trapped:\n          energy",
        "stack.layers.mixed.profiles.trapped",
        "{energy:",
        ["trapped is immobile in host", "an energy only"],
    ),
    "an interface state that nothing fills": (
        MIXED,
        "        trap: {charge",
        "        other: {charge: 0, density: 1e17/m^2}\n        trap: {charge",
        "stack.junctions.film | mixed.states.other",
        "other",
        ["no reaction names it", "e- <-> other"],
    ),
    "an interface state with the name of a carrier": (
        MIXED,
        "        trap: {charge",
        "        Na_i: {charge: 0, density: 1e17/m^2}\n        trap: {charge",
        "stack.junctions.film | mixed.states.Na_i",
        "Na_i",
        ["the name of a carrier of mixed"],
    ),
    "a state that takes no charge from electrons": (
        MIXED,
        "        e-(film) <-> trap:",
        "        h+ <-> trap:",
        "stack.junctions.film | mixed.reactions.h+ <-> trap",
        "h+ <-> trap",
        ["not balanced", "charge +2"],
    ),
    "a film that is two things": (
        MIXED,
        "    film: {resistance: 5 ohm cm^2}",
        "    film: {}",
        "stack.left.film",
        "{}",
        ["either a resistance or an interphase"],
    ),
    "an interphase on a metal": (
        MIXED,
        "    film: {resistance: 5 ohm cm^2}",
        "    film: {interphase: {driven_by: a, resistivity: 1 ohm m, rate: 1 nm/h, reference: 1 nm, initial: "
        "{reversible: 1 nm, permanent: 1 nm}}}",
        "stack.left.film",
        "{interphase:",
        ["an interphase grows between layers"],
    ),
    "an interphase driven by something unknown": (
        MIXED,
        "driven_by: nothing <-> Li",
        "driven_by: nothing <-> Lithium",
        "stack.junctions.sep | film.film.interphase.driven_by",
        "nothing <-> Lithium",
        ["Lithium lives in neither sep nor film"],
    ),
    "a barrier beside an exchange current": (
        MIXED,
        "    reorganisation_energy: 1 eV",
        "    reorganisation_energy: 1 eV\n    exchange_current: 1 A/m^2",
        "stack.left.eyring",
        "{barrier:",
        ["given together with exchange_current", "keep one"],
    ),
    "a hop into a full site": (
        MIXED,
        "    reorganisation_energy: 1 eV",
        "    reorganisation_energy: 1 eV\n    occupancy_dependent: false",
        "stack.left.occupancy_dependent",
        "false",
        ["a hop needs a filled and an empty site"],
    ),
    "Marcus without a reorganisation energy": (
        MIXED,
        "    reorganisation_energy: 1 eV\n",
        "",
        "stack.left.reorganisation_energy",
        "nothing",
        ["missing for law marcus", "reorganisation_energy: 0.5 eV"],
    ),
    "a transfer coefficient of Marcus": (
        MIXED,
        "    reorganisation_energy: 1 eV\n",
        "    reorganisation_energy: 1 eV\n    alpha: 0.4\n",
        "stack.left.alpha",
        "0.4",
        ["not used by law marcus"],
    ),
    "a law for a carrier that cannot move": (
        CERAMIC,
        "  core:\n    like: grain\n    carriers:\n      Li+: {mu0: 0.2 eV}",
        "  core:\n    like: grain\n    carriers:\n      Li+: {mobility: immobile}",
        "stack.junctions.boundary | grain right.carriers.Li+",
        "{law: linear",
        ["Li+ is immobile in boundary", "moves on both sides"],
    ),
    "an open-circuit formula with a name": (
        CELL,
        "          occupancy: [0.5, 0.7, 0.9]\n          potential: [4.2 V, 4.0 V, 3.8 V]",
        "          formula: 4.2 - 0.4*y\n          range: [0.5, 0.9]",
        "materials.host.carriers.Li.open_circuit.formula",
        "4.2 - 0.4*y",
        ["unknown name 'y'", "known names: x, exp, log, tanh, sqrt"],
    ),
    "an open-circuit formula that rises": (
        CELL,
        "          occupancy: [0.5, 0.7, 0.9]\n          potential: [4.2 V, 4.0 V, 3.8 V]",
        "          formula: 4.2 - (x - 0.6)**2\n          range: [0.5, 0.9]",
        "materials.host.carriers.Li.open_circuit.formula",
        "4.2 - (x - 0.6)**2",
        ["does not decrease at x = 0.5"],
    ),
    "an open-circuit formula of anywhere": (
        CELL,
        "          occupancy: [0.5, 0.7, 0.9]\n          potential: [4.2 V, 4.0 V, 3.8 V]",
        "          formula: 4.2 - x",
        "materials.host.carriers.Li.open_circuit.range",
        "nothing",
        ["where the formula holds", "range: [0.4, 0.99]"],
    ),
    "a key twice": (
        CELL,
        "title: thin-film cell\n",
        "title: thin-film cell\ntitle: again\n",
        "title",
        "again",
        ["duplicate key", "study.yaml:1", "keep one"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_one_message_names_the_place_the_value_and_the_way_out(name, tmp_path):
    text, good, bad, key, value, words = MISTAKES[name]
    assert text.count(good) >= 1
    broken = text.replace(good, bad, 1)
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, broken)
    message = str(caught.value)
    assert len(caught.value.problems) == message.count("\n") + 1 == 1, message
    before, _, after = message.partition(f": {key}: got {value}")
    assert after, message
    path, _, number = before.rpartition(":")
    assert path == str(tmp_path / "study.yaml")
    written = broken.splitlines()[int(number) - 1]
    last = key.rpartition(".")[2].partition("[")[0]
    if value != "nothing":  # the line is the one that says it
        assert last in written or value in written, (number, written)
    for word in words:
        assert word in after, message


@pytest.mark.parametrize(
    ("broken", "marker", "words"),
    [
        (CELL.replace("  layers:", "\tlayers:"), "\tlayers:", ["a tab character", "indent with spaces"]),
        (CELL.replace("title: thin", "title: a: thin"), "title: a:", ["a second ': ' in one line", "quote"]),
        (CELL.replace("{Li: 0.8}\n  j", "{Li: 0.8\n  j"), "  junctions:", ["not YAML", "brackets"]),
        (CELL.replace("title: thin", "title: @thin"), "@thin", ["cannot start", "quotes"]),
    ],
)
def test_text_that_is_not_yaml_is_pointed_at(broken, marker, words, tmp_path):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, broken)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'study.yaml'}:{line(broken, marker)}: got ")
    assert all(word in message for word in words), message


def test_several_mistakes_are_told_together_one_per_line(tmp_path):
    broken = CELL.replace("3.62 um", "3.62").replace("8.08 um", "-8.08 um").replace("area:", "aera:")
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, broken.replace("aera: 3.36 cm^2\n", ""))
    assert [p.key for p in caught.value.problems] == [
        "stack.layers.electrolyte.thickness",
        "stack.layers.cathode.thickness",
    ]


def test_a_missing_file_names_its_neighbours(tmp_path):
    (tmp_path / "cell.yaml").write_text(CELL)
    from ionics import config

    with pytest.raises(ConfigError, match=r"no such file; did you mean cell\.yaml\?"):
        config.read(tmp_path / "cel.yaml")


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "the file is empty"), ("# nothing\n", "the file is empty"), ("- 1\n", "a mapping is needed")],
)
def test_a_file_without_keys(text, words, tmp_path):
    with pytest.raises(ConfigError, match=words):
        read(tmp_path, text)


def test_a_file_in_another_encoding(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_bytes("title: x\nsource: Müller\n".encode("latin-1"))
    from ionics import config

    with pytest.raises(ConfigError, match=r"study\.yaml:2: got 0xfc; not UTF-8 text"):
        config.read(path)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("temperature=25", ["--set: temperature: got 25", "the unit is missing"]),
        (
            "stack.layers.electrolyte.thicknes=5 nm",
            ["--set: stack.layers.electrolyte.thicknes: got 5 nm", "thickness?"],
        ),
        ("stack.layers.electrolit.thickness=5 nm", ["--set: stack.layers.electrolit", "did you mean electrolyte?"]),
        ("temperature", ["--set: temperature", "KEY=VALUE"]),
        ("temperature=", ["--set: temperature", "the value is missing"]),
        ("title.sub=3", ["--set: title.sub: got 3", "title is a value"]),
        ("stack.layers.cathode.material=LiCo2", ["--set: stack.layers.cathode.material: got LiCo2", "LiCoO2?"]),
        ("temperature=[", ["--set:1: got [", "not YAML"]),
    ],
)
def test_a_wrong_override_is_told_as_such(override, words, tmp_path):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, CELL, override)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    ("key", "bounds", "words"),
    [
        (
            "stack.layers.electrolyte.carriers.Li+.conductivty",
            "[1e-6 S/m, 1 S/m]",
            ["unknown path", "stack.layers.electrolyte.carriers.Li+.conductivity"],
        ),
        (
            "stack.layers.electrolyte.carriers.Li+.conductivity",
            "[1e-6 m^2/s, 1 m^2/s]",
            ["bounds[0]: got 1e-6 m^2/s", "is not a conductivity"],
        ),
        ("stack.layers.electrolyte.carriers.Li+.occupancy", "[0.1, 0.2]", ["cannot be varied"]),
        ("stack.left.exchange_curent", "[1 A/m^2, 2 A/m^2]", ["stack.left.exchange_current"]),
    ],
)
def test_a_free_parameter_that_is_no_leaf(key, bounds, words, tmp_path):
    text = CELL + f"fit:\n  model: stack\n  free:\n    {key}: {{bounds: {bounds}}}\n"
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    message = str(caught.value)
    assert f"study.yaml:{line(text, key)}: fit.free.{key}" in message
    assert all(word in message for word in words), message
