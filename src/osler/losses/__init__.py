"""What a network minimises: losses that PyTorch lacks, a registry of all by name, and which one suits a problem."""
