"""What is seen in a spectrum before it is fitted: consistency, errors, cables."""
