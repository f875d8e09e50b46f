"""The report of a run: what its folders hold (collect), is it healthy (judge), one page that shows it (page)."""
