"""What happens between junctions, and the one balance."""
