"""Claims of the field, tested here and now: functions that run an experiment and return its numbers."""
