"""Pages and pictures of a run: `page.write_report` writes the report, the other files each draw one kind of figure."""
