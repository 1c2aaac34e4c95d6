"""What a person can ask for, a file each: they compose the floors below and are the public functions."""
