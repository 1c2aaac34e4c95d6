"""The parts of the report page, a file for each subject."""
