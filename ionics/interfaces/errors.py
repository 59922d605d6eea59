"""What a user of atoms can mend, said once."""

from __future__ import annotations


class AtomsError(ValueError):
    """Something is wrong with the structures or settings given; `valid` says what would be right."""

    def __init__(self, problem: str, valid: str = ""):
        self.problem, self.valid = problem, valid
        super().__init__(f"{problem}; {valid}" if valid else problem)


class MissingExtra(AtomsError):
    """An optional package is needed for what was asked."""

    def __init__(self, package: str, extra: str, purpose: str):
        super().__init__(
            f"{purpose} needs the package {package}, which is not installed",
            f"pip install 'ionics-toolkit[{extra}]'",
        )
