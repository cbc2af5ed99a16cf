"""Write the folder of suspicious masks: the table, the pictures, and a page that shows both."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from src.files import atomic, write_csv, write_text
from src.report.suspects.pictures import draw_suspects
from src.report.suspects.text import MEANING
from src.suspects.predictions import Predictions
from src.suspects.ranking import COLUMNS, Suspect, suspect_rows

TABLE, PAGE = "suspects.csv", "index.html"


def write_suspects(folder: Path, suspects: Sequence[Suspect], predictions: Predictions, pictures: int) -> None:
    """Write the folder; it is replaced as a whole.

    Args:
        folder: The folder.
        suspects: All masks with a possible error, the most suspicious first.
        predictions: Of the images.
        pictures: The number of masks to draw.
    """
    with atomic(folder) as temporary:
        temporary.mkdir(parents=True)
        drawn = draw_suspects(temporary, suspects[:pictures], predictions)
        write_csv(temporary / TABLE, suspect_rows(suspects), COLUMNS)
        write_text(temporary / PAGE, suspects_page(suspects, drawn))


def suspects_page(suspects: Sequence[Suspect], drawn: Sequence[str]) -> str:
    """Write the page.

    Args:
        suspects: The masks, the most suspicious first.
        drawn: The names of the pictures of the first ones.
    """
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    shown = list(zip(suspects, drawn, strict=False))
    return environment.get_template("page.html").render(shown=shown, total=len(suspects), meaning=MEANING, table=TABLE)
