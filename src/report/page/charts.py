"""Which charts does the report page show? Vega-Lite specifications, checked by Altair, that contain their data."""

import math
from collections.abc import Mapping, Sequence

import altair as alt

from src.report.figures.style import TRAINING, VALIDATION
from src.report.text.format import Rows

CURVES = {"loss": "Loss", "dice": "Dice", "iou": "IoU", "accuracy": "Pixel accuracy"}
MOST_POINTS = 4000  # points of a scatter chart: of a larger number, only every second, third … is drawn
MOST_NUMBERED = 8  # classes of a confusion matrix whose cells have room for numbers
GREY = "#595959"
NETWORK, BASELINE = "network", "colour alone"
SHARE = alt.Scale(domain=[0, 1])
AXIS = alt.AxisConfig(labelFontSize=12, titleFontSize=12, titleFontWeight="normal", labelLimit=160)
LEGEND = alt.LegendConfig(labelFontSize=12, titleFontSize=12, orient="bottom", columns=3, labelLimit=160)
Spec = dict[str, object]


def curve(history: Rows, name: str, title: str, best: int) -> Spec:
    """Draw one measure over the epochs, for training patches and validation images.

    Args:
        history: Rows of history.csv.
        name: Column of the measure on training patches; `val_` and this name is its column on validation images.
        title: Title of the measure.
        best: The epoch whose weights were kept; it is marked.
    """
    kinds = {"training patches": name, "validation images": f"val_{name}"}
    values = [
        {"epoch": int(row["epoch"]), "of": kind, "value": float(row[column])}
        for row in history
        for kind, column in kinds.items()
        if math.isfinite(float(row[column]))  # NaN if no pixel of an epoch counts; JSON cannot hold it
    ]
    scale = alt.Scale(domain=list(kinds), range=[TRAINING, VALIDATION])
    dash = alt.StrokeDash("of:N", title=None, scale=alt.Scale(domain=list(kinds), range=[[1, 0], [6, 3]]))
    base = alt.Chart(alt.Data(values=values)).encode(x=alt.X("epoch:Q", axis=_whole_numbers()))
    line = base.mark_line().encode(
        y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False)),
        color=alt.Color("of:N", title=None, scale=scale),
        strokeDash=dash,
    )
    return _spec(alt.layer(line, _kept(best), *_hover(base, name, list(kinds))), f"{title} over the epochs")


def learning_rate(history: Rows, best: int) -> Spec:
    """Draw the learning rate over the epochs.

    Args:
        history: Rows of history.csv.
        best: The epoch whose weights were kept; it is marked.
    """
    values = [{"epoch": int(row["epoch"]), "value": float(row["lr"])} for row in history]
    base = alt.Chart(alt.Data(values=values)).encode(x=alt.X("epoch:Q", axis=_whole_numbers()))
    line = base.mark_line(color=TRAINING, point=True).encode(
        y=alt.Y("value:Q", title="Learning rate", axis=alt.Axis(format="~g")),
        tooltip=[alt.Tooltip("epoch:Q"), alt.Tooltip("value:Q", title="learning rate", format=".4~g")],
    )
    return _spec(alt.layer(line, _kept(best)), "Learning rate over the epochs")


def classes(rows: Rows, baseline: Mapping[str, Mapping[str, float]]) -> Spec:
    """Draw the mean Dice of each class with its interval, and the colour baseline's Dice.

    Args:
        rows: Rows of classes.csv.
        baseline: Class → scores of the colour baseline; classes may be missing.
    """
    values: list[dict[str, object]] = []
    for row in rows:
        if row["measure"] == "dice":
            bounds = {key: float(row[key]) for key in ("low", "high") if row[key]}
            values.append({"class": row["class"], "of": NETWORK, "dice": float(row["mean"])} | bounds)
            if "dice" in baseline.get(row["class"], {}):
                values.append({"class": row["class"], "of": BASELINE, "dice": baseline[row["class"]]["dice"]})
    kinds = [NETWORK, BASELINE]
    base = alt.Chart(alt.Data(values=values)).encode(y=_names("class", None))
    tips = [alt.Tooltip("class:N"), alt.Tooltip("of:N"), *(alt.Tooltip(f"{key}:Q") for key in ("dice", "low", "high"))]
    points = base.mark_point(filled=True, size=90, opacity=1).encode(
        x=alt.X("dice:Q", scale=SHARE, title="mean Dice over images, 95 % interval"),
        color=alt.Color("of:N", title=None, scale=alt.Scale(domain=kinds, range=[TRAINING, VALIDATION])),
        shape=alt.Shape("of:N", title=None, scale=alt.Scale(domain=kinds, range=["circle", "diamond"])),
        tooltip=tips,
    )
    rules = base.transform_filter("isValid(datum.low)").mark_rule(color=TRAINING, strokeWidth=2)
    return _spec(alt.layer(rules.encode(x=alt.X("low:Q"), x2="high:Q"), points), "Mean Dice of each class")


def confusion(rows: Rows) -> Spec:
    """Draw the confusion matrix, from the rows of confusion.csv, as shares of the true class.

    Up to `MOST_NUMBERED` classes, the cells show their numbers.
    """
    totals: dict[str, int] = {}
    for row in rows:
        totals[row["actual"]] = totals.get(row["actual"], 0) + int(row["pixels"])
    values = [
        {"actual": row["actual"], "predicted": row["predicted"], "pixels": int(row["pixels"])}
        | {"share": round(int(row["pixels"]) / max(totals[row["actual"]], 1), 6)}
        for row in rows
    ]
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X("predicted:N", sort=None, title="predicted as", axis=alt.Axis(labelAngle=-30, labelLimit=120)),
        y=_names("actual", "pixels of"),
        tooltip=[
            *(alt.Tooltip(f"{name}:N") for name in ("actual", "predicted")),
            alt.Tooltip("pixels:Q", format=","),
            alt.Tooltip("share:Q", format=".2%"),
        ],
    )
    colour = alt.Color("share:Q", scale=alt.Scale(domain=[0, 1], scheme="blues"), legend=None)
    layers = [base.mark_rect().encode(color=colour)]
    if len(totals) <= MOST_NUMBERED:
        ink = alt.when("datum.share > 0.5").then(alt.value("white")).otherwise(alt.value("black"))
        layers.append(base.mark_text().encode(text=alt.Text("share:Q", format=".1%"), color=ink))
    height = len(totals) * (40 if len(totals) <= MOST_NUMBERED else 18)
    return _spec(alt.layer(*layers), "Confusion of the classes", height)


def reliability(rows: Rows, colours: Mapping[str, str]) -> Spec:
    """Draw how often a class occurs against its predicted probability; on the diagonal, the two agree.

    Args:
        rows: Rows of reliability.csv.
        colours: Class → "#RRGGBB".
    """
    values = [
        {"class": row["class"], "pixels": int(row["pixels"])}
        | {name: float(row[name]) for name in ("probability", "frequency")}
        for row in rows
    ]
    names = list(dict.fromkeys(row["class"] for row in rows))
    ideal = alt.Chart(alt.Data(values=[{"x": 0, "y": 0}, {"x": 1, "y": 1}]))
    diagonal = ideal.mark_line(color="#767676", strokeDash=[4, 4]).encode(x="x:Q", y="y:Q")
    lines = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X("probability:Q", scale=SHARE, title="predicted probability"),
        y=alt.Y("frequency:Q", scale=SHARE, title="share of pixels of the class"),
        color=_coloured(names, colours),
        tooltip=["class:N", "probability:Q", "frequency:Q", alt.Tooltip("pixels:Q", format=",")],
    )
    points = lines.mark_point(filled=True, size=60, opacity=1).encode(shape=_shaped(names))
    return _spec(alt.layer(diagonal, lines.mark_line(), points), "Reliability of the probabilities")


def sizes(rows: Rows, names: Sequence[str], colours: Mapping[str, str]) -> Spec:
    """Draw the Dice of each image and class against the number of pixels of the class in the truth.

    Args:
        rows: Rows of scores.csv, of the network only.
        names: The foreground classes.
        colours: Class → "#RRGGBB".
    """
    scored = [row for row in rows if row["dice"] and row["class"] in names]
    step = max(1, -(-len(scored) // MOST_POINTS))
    # The field is called name: a tooltip would load a field called image, and would print one called title in large.
    values = [
        {"name": row["id"], "class": row["class"], "size": int(row["true"]), "dice": float(row["dice"])}
        for row in scored[::step]
    ]
    points = alt.Chart(alt.Data(values=values)).mark_point(size=50)
    chart = points.transform_calculate(place="datum.size + 1").encode(
        x=alt.X("place:Q", scale=alt.Scale(type="log"), title="pixels of the class in the truth, plus one"),
        y=alt.Y("dice:Q", scale=SHARE, title="Dice"),
        color=_coloured(names, colours),
        shape=_shaped(names),
        tooltip=["name:N", "class:N", alt.Tooltip("size:Q", format=",", title="pixels"), "dice:Q"],
    )
    return _spec(chart, "Dice of each test image against the size of the class in it")


def _coloured(names: Sequence[str], colours: Mapping[str, str]) -> alt.Color:
    scale = alt.Scale(domain=list(names), range=[colours[name] for name in names])
    return alt.Color("class:N", title=None, scale=scale)


def _shaped(names: Sequence[str]) -> alt.Shape:
    return alt.Shape("class:N", title=None, scale=alt.Scale(domain=list(names)))


def _whole_numbers() -> alt.Axis:
    return alt.Axis(tickMinStep=1, format="d", grid=False)


def _names(field: str, title: str | None) -> alt.Y:
    return alt.Y(f"{field}:N", sort=None, title=title)


def _kept(best: int) -> alt.Chart:
    rule = alt.Chart(alt.Data(values=[{"epoch": best}])).mark_rule(strokeDash=[2, 3], color=GREY)
    return rule.encode(x="epoch:Q", tooltip=alt.Tooltip("epoch:Q", title="kept: epoch"))


def _hover(base: alt.Chart, name: str, kinds: Sequence[str]) -> tuple[alt.Chart, ...]:
    """A vertical line at the epoch nearest to the pointer, with a tooltip of the values there."""
    near = alt.selection_point(
        name=f"near_{name}", fields=["epoch"], nearest=True, on="pointerover", clear="pointerout", empty=False
    )
    wide = base.transform_pivot("of", value="value", groupby=["epoch"])
    tips = [alt.Tooltip("epoch:Q"), *(alt.Tooltip(f"{kind}:Q", format=".4f") for kind in kinds)]
    seen = alt.when(near).then(alt.value(0.5)).otherwise(alt.value(0))
    return (wide.mark_rule(color=GREY).encode(opacity=seen, tooltip=tips).add_params(near),)


def _spec(chart: alt.Chart | alt.LayerChart | alt.FacetChart, description: str, height: int = 240) -> Spec:
    """The specification of a chart as wide as its place in the page."""
    whole = chart.properties(width="container", height=height, description=description)
    spec: Spec = whole.configure(
        font="system-ui, sans-serif", axis=AXIS, legend=LEGEND, view=alt.ViewConfig(stroke=None)
    ).to_dict()
    return spec
