"""The report of a run: what its folders hold (collect), is it healthy (checks), one page that shows it (page)."""
