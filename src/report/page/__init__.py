"""The report page, plots/report.html."""
