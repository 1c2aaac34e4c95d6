"""Networks: each a few lines that name their parts; `registry` makes them by name."""
