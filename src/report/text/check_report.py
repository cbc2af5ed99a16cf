"""What did the data set checks find? A table, a contact sheet and a summary, written before an error stops the run."""

from pathlib import Path

from src.data.checks.dataset_checks import Gate
from src.data.checks.findings import stop_on_errors, summary, write_findings
from src.report.figures.contact_sheet import draw_contact_sheet


def report_findings(gate: Gate, table: Path, sheet: Path) -> None:
    """Write the findings and the contact sheet, and print the summary.

    Args:
        gate: The result of the checks.
        table: Where the findings are written, as CSV.
        sheet: Where the contact sheet is written, as PNG.

    Raises:
        UserError: At least one finding is an error.
    """
    write_findings(table, gate)
    draw_contact_sheet(sheet, gate)
    print("\n".join(summary(gate)), f"look at it: {sheet}", sep="\n", flush=True)
    stop_on_errors(gate, table)
