"""Pictures and labels: opened, divided, read, described."""
