"""What the gate found, shown: a table, a contact sheet and a few lines, before anything is stopped."""

from pathlib import Path

from src.data.checks.dataset_checks import CheckResult
from src.data.checks.findings import stop_on_errors, summary, write_findings
from src.report.figures.contact_sheet import draw_contact_sheet


def report(gate: CheckResult, table: Path, sheet: Path) -> None:
    """Write the findings and the contact sheet, print the summary; then `UserError` if there is an error."""
    write_findings(table, gate)
    draw_contact_sheet(sheet, gate)
    print("\n".join(summary(gate)), f"look at it: {sheet}", sep="\n", flush=True)
    stop_on_errors(gate, table)
