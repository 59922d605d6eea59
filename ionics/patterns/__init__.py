"""Data science of interfaces: spectrum images taken apart into a few spectra and maps, and the shape of ion networks.

xarray in, xarray out: any image of spectra with coordinates (STEM-EELS, XAFS stacks) and any set of ions in a cell.
"""
