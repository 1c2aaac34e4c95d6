"""Sample, Batch, Preprocessing and their kin; errors, registries, files."""
