"""The numbers by which the field judges answers, on NumPy arrays with a row per sample."""
