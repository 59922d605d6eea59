"""What to measure: frequencies and conditions that determine what is asked."""
