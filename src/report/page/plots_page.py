"""Which HTML template does `dvc plots` fill? One that draws its charts without a network.

DVC adds a script of its own after each chart, so the page's policy cannot list the scripts that may run. It forbids all
requests instead.
"""

import json

from src.data.source.dataset import PALETTE
from src.report.page.vega import vega_script

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 90rem; padding: 1rem; color: #1c1c1c }
main { display: flex; flex-wrap: wrap; gap: 1.5rem } main > div { max-width: 100%; overflow-x: auto }
main > div > div { vertical-align: top } img { max-width: min(44rem, 42vw); height: auto } p { margin: .3rem }
"""
SCRIPT = """
{ // Vega's interpreter of expressions needs no eval, which the policy forbids
  const embed = window.vegaEmbed;
  const config = { range: { category: CATEGORIES } };
  const options = { ast: true, mode: "vega-lite", renderer: "svg", actions: false, logLevel: 1, config };
  window.vegaEmbed = (place, { $schema, ...spec }) => embed(place, spec, options); // version 5 warns, and draws alike
}
""".replace("CATEGORIES", json.dumps(PALETTE))
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self' file: data:; "
    "base-uri 'none'; form-action 'none'"
)


def plots_page() -> str:
    """Return the template for `dvc config plots.html_template`; `python -m tools.plots_page` writes it."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
{{refresh_tag}}
<title>Plots</title>
<style>{STYLE}</style>
<script>{vega_script()}</script>
<script>{SCRIPT}</script>
</head>
<body>
<h1>Plots</h1>
<main>
{{plot_divs}}
</main>
</body>
</html>
"""
