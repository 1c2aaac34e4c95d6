"""Recipe, run, stages, loop, optimiser, schedule, checkpoint."""
