"""What did the data set checks find? A table, a contact sheet and a summary, written before an error stops the run."""

from pathlib import Path

from src.data.checks.dataset_checks import CheckResult
from src.data.checks.findings import stop_on_errors, summary, write_findings
from src.report.figures.contact_sheet import draw_contact_sheet


def report_findings(result: CheckResult, table: Path, sheet: Path) -> None:
    """Write the findings and the contact sheet, and print the summary.

    Args:
        result: The result of the checks.
        table: Where the findings are written, as CSV.
        sheet: Where the contact sheet is written, as PNG.

    Raises:
        UserError: At least one finding is an error.
    """
    write_findings(table, result)
    draw_contact_sheet(sheet, result)
    print("\n".join(summary(result)), f"look at it: {sheet}", sep="\n", flush=True)
    stop_on_errors(result, table)
