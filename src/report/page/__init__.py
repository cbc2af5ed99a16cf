"""How does the report page, plots/report.html, show a run?"""
