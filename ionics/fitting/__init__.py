"""From a measured spectrum to parameters with errors: readers, circuits, free parameters, least squares."""
