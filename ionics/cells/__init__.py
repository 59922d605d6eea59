"""Cells above the resolved scale: electrodes of particles, films and metals on the same laws as the stacks."""
