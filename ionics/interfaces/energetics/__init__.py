"""What a junction of atoms costs or yields: adhesion, energy against lithium, mixing across it, reactions."""
