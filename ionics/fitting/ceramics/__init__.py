"""Grains and grain boundaries: from two arcs to the barrier between grains."""
