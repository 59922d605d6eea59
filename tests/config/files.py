"""Texts of good files, and a way to write and read them."""

from __future__ import annotations

from ionics import config

CELL = """\
title: thin-film cell
temperature: 293.15 K
area: 3.36 cm^2
series_resistance: 18.25 ohm
materials:
  my lipon:
    like: LiPON
    permittivity: 13.2
    carriers:
      Li+: {conductivity: 1.109e-4 S/m}
  host:
    permittivity: 12.9
    carriers:
      Li:
        charge: 0
        statistics: measured
        sites: 32200 mol/m^3
        diffusivity: 2.1e-14 m^2/s
        open_circuit:
          occupancy: [0.5, 0.7, 0.9]
          potential: [4.2 V, 4.0 V, 3.8 V]
      e-: {charge: -1, statistics: dilute, sites: 32200 mol/m^3, occupancy: 1, conductivity: 10 S/m}
stack:
  left:
    contact: lithium
    law: butler-volmer
    exchange_current: 5.7503 A/m^2
    alpha: 0.4
    compact_layer: {capacitance: 5.3 mF/m^2}
  layers:
    - name: electrolyte
      material: my lipon
      thickness: 3.62 um
      nodes: 81
    - name: cathode
      material: host
      thickness: 8.08 um
      nodes: 81
      occupancy: {Li: 0.8}
  junctions:
    electrolyte | cathode:
      reactions:
        Li+ + e- <-> Li:
          law: butler-volmer
          exchange_current: {value: 3.76 A/m^2, activation_energy: 0.5 eV, temperature: 298.15 K}
      compact_layer:
        constant_phase:
          Q: 1e-6 S s^0.9/cm^2
          n: 0.9
      space_charge_potential: 0.05 V
  right: {contact: ohmic}
study:
  state_of_charge: {cathode: {Li: 0.8}}
  operating_point: {current: 0.1 mA/cm^2}
  impedance: {from: 1 mHz, to: 1 MHz, points: 10}
"""

CERAMIC = """\
temperature: 25 degC
series_resistance: 5 ohm cm^2
materials:
  grain:
    permittivity: 20
    lattice_spacing: 0.3 nm
    carriers:
      Li+:
        charge: 1
        statistics: lattice
        mobility: hopping
        sites: 2e21/cm^3
        occupancy: 25 %
        diffusivity: {value: 1e-12 m^2/s, activation_energy: 30 kJ/mol, temperature: 300 K}
        mu0: 0 eV
  core:
    like: grain
    carriers:
      Li+: {mu0: 0.2 eV}
stack:
  left: {contact: blocking, compact_layer: {capacitance: 10 uF/cm^2}}
  layers:
    - repeat: 1000
      name: ceramic
      layers:
        - {name: grain left, material: grain, thickness: 0.5 um, nodes: 41}
        - {name: boundary, material: core, thickness: 1 nm, nodes: 41}
        - {name: grain right, material: grain, thickness: 0.5 um, nodes: 41}
  junctions:
    grain left | boundary: {dipole: 0 V}
    boundary | grain right:
      carriers:
        Li+: {law: linear, resistance: {value: 10 ohm cm^2, activation_energy: 0.4 eV, temperature: 298.15 K}}
      dipole: 0 V
      surface_charge: -0.05 C/m^2
  right: {contact: reservoir, law: linear, resistance: 2 ohm cm^2}
"""

MIXED = """\
temperature: 500 K
materials:
  host:
    permittivity: 12
    lattice_spacing: 0.3 nm
    carriers:
      Li_i: {charge: 1, statistics: lattice, sublattice: gaps, sites: 2e4 mol/m^3, occupancy: 0.1, conductivity: 1 S/m}
      Na_i:
        charge: 1
        statistics: lattice
        sublattice: gaps
        sites: 2e4 mol/m^3
        occupancy: 0.3
        diffusivity: 1e-12 m^2/s
      V_Li: {charge: -1, statistics: lattice, sites: 2e4 mol/m^3, occupancy: 1e-6, diffusivity: 1e-11 m^2/s}
      e-: {charge: -1, statistics: fermi-dirac, sites: 1e19/cm^3, occupancy: 2, diffusivity: 1e-6 m^2/s}
      h+: {charge: 1, statistics: dilute, sites: 1e19/cm^3, occupancy: 1e-6, diffusivity: 1e-9 m^2/s}
      trapped: {charge: -1, statistics: lattice, mobility: immobile, sites: 1e18/cm^3, occupancy: 0.1}
    reactions:
      nothing <-> Li_i + V_Li:
        law: mass-action
        rate_constant: {value: 1e6 mol/m^3/s, activation_energy: 0.5 eV, temperature: 300 K}
      e- + h+ <-> nothing:
        law: shockley-read-hall
        electron_lifetime: 1 us
        hole_lifetime: 2 us
        n1: 1e16/m^3
        p1: 1e15/m^3
      e- <-> trapped: {law: mass-action, rate_constant: 1e5 mol/m^3/s, equilibrium: standard potentials}
      nothing <-> e- + h+: {law: generation, rate: 1e20/cm^3/s}
  grown:
    permittivity: 20
    carriers:
      Li:
        charge: 0
        statistics: regular-solution
        interaction: 0.15 eV
        mobility: chemical
        sites: 2e4 mol/m^3
        occupancy: 0.4
        diffusivity_over_occupancy:
          occupancy: [0.1, 0.4, 1]
          diffusivity: [1e-14 m^2/s, 1e-15 m^2/s, 1e-16 m^2/s]
          activation_energy: 0.3 eV
          temperature: 300 K
        stress:
          molar_volume: 2e-6 m^3/mol
          modulus: 100 GPa
          poisson: 0.25
          occupancy: 0.5
          residual: -50 MPa
          pressure: 1 MPa
      e-: {charge: -1, statistics: dilute, sites: 2e4 mol/m^3, occupancy: 0.1, conductivity: 1 S/m}
  salt:
    permittivity: 10
    carriers:
      Li+: {charge: 1, statistics: dilute, sites: 6e4 mol/m^3, occupancy: 0.2, conductivity: 1e-4 S/m}
      n-: {charge: -1, statistics: dilute, sites: 6e4 mol/m^3, occupancy: 0.2, diffusivity: 1e-15 m^2/s}
    reactions:
      nothing <-> Li+ + n-:
        law: weak-electrolyte
        recombination: 1e-8 m^3/mol/s
        total: 6e4 mol/m^3
        dissociation: 0.18
stack:
  left:
    contact: lithium
    law: marcus
    eyring: {barrier: 0.5 eV, site_density: 1e19/m^2}
    reorganisation_energy: 1 eV
    film: {resistance: 5 ohm cm^2}
  layers:
    - name: sep
      material: salt
      thickness: 1 um
      nodes: 41
      profiles:
        Li+: {core: {position: 0.5 um, width: 1 nm, depth: 0.3 eV, diffusivity_factor: 0.1}}
    - {name: film, material: grown, thickness: 100 nm, nodes: 41}
    - name: mixed
      material: host
      thickness: 1 um
      nodes: 41
      profiles:
        Li_i:
          energy: {position: [0 nm, 1 nm, 2 nm], energy: [-0.2 eV, -0.1 eV, 0 eV]}
          diffusivity: {position: [0 nm, 2 nm], factor: [0.1, 1]}
  junctions:
    sep | film:
      reactions:
        Li+ + e- <-> Li:
          law: marcus-hush-chidsey
          exchange_current: 1 A/m^2
          reorganisation_energy: 0.5 eV
          occupancy_dependent: true
      film:
        interphase:
          driven_by: nothing <-> Li
          threshold: 4.5 eV
          resistivity: 1e7 ohm cm
          rate: 1 nm/h
          reference: 1 nm
          initial: {reversible: 0.1 nm, permanent: 1 pm}
    film | mixed:
      reactions:
        e-(film) <-> trap: {law: butler-volmer, exchange_current: 1 A/m^2, occupancy_dependent: true}
        e-(mixed) <-> trap: {law: butler-volmer, exchange_current: 2 A/m^2, occupancy_dependent: true}
      states:
        trap: {charge: -1, density: 1e17/m^2, level: -0.1 eV}
  right: {contact: ohmic}
study: {}
"""

CIRCUIT = """\
fit:
  data: spectra/*.csv
  columns: [f, zre, zim]
  frequency_range: [0.1 Hz, 1.1 MHz]
  geometry: {area: 0.5 cm^2, thickness: 0.75 mm}
  model: circuit
  circuit: R0-p(R1,CPE1)-CPE2
  weighting: {relative: 1 %}
  starts: 8
  free:
    R0: {start: 10 ohm, bounds: [1 ohm, 1e4 ohm], scale: log}
    CPE1.n: {bounds: [0.5, 1], scale: linear}
  series: {temperature: "s04147-(\\\\d+)deg", unit: degC}
  arrhenius: [R1, R2]
"""

GOOD = {"cell": CELL, "ceramic": CERAMIC, "mixed": MIXED, "circuit": CIRCUIT}


def read(tmp_path, text, *overrides):
    """The configuration in a text."""
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return config.read(path, overrides)


def line(text, marker):
    """The number of the first line that contains the marker."""
    return next(i for i, written in enumerate(text.splitlines(), 1) if marker in written)
