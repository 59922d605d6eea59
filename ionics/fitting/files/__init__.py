"""Files of instruments -> spectra, series of spectra, records of cyclers."""
