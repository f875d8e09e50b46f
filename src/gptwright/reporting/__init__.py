"""The report of a run: what its folders hold (collect), whether it is healthy (judge), and one page that shows it (page)."""
