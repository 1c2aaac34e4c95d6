"""What is wrong with a training: checks read the evidence, findings name causes, and each says what to change."""
