"""The remedies as edits: a file for each fault, or for faults that are mended alike."""
