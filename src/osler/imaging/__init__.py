"""Pictures: from files to pixels and back, brought to a size, and changed at random together with their truth."""
