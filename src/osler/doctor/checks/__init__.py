"""The checks: one fault a file, its page and the function that looks for it."""
