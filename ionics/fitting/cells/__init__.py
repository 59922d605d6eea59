"""Cells fitted to what a cycler and an impedance analyser recorded of them, one record alone or all together."""
