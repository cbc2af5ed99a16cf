"""Everything that looks at Git and DVC: verification, provenance, experiments, untracked files."""
