"""What a network is for: targets, steps, losses, decoding, metrics and drawing of one kind of problem each."""
