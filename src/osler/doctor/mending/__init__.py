"""Remedies that act: each edits a copy of the person's script, is tried beside the script as it is, and ends in a diff."""
