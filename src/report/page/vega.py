"""Which scripts draw the charts? Those of Vega that vl-convert contains, so that charts need no network."""

import base64
import functools
import hashlib

import vl_convert

NOTICE = (
    "/* Vega, Vega-Lite, Vega-Embed and their parts: BSD 3-Clause, University of Washington Interactive Data Lab;"
    " see https://vega.github.io */"
)
VERSION = "6.4"  # of Vega-Lite: the one that Altair writes
SNIPPET = "window.vegaEmbed = vegaEmbed;"


@functools.cache  # it takes seconds
def vega_script() -> str:
    """Return a script that defines `vegaEmbed`; raises `ValueError` as `inline` does."""
    return inline(f"{NOTICE}\n{vl_convert.javascript_bundle(SNIPPET, VERSION)}")


def inline(script: str) -> str:
    """Return the script unchanged if an HTML page can contain it.

    Raises:
        ValueError: The script holds text that would end its <script> element.
    """
    if any(end in script.lower() for end in ("</script", "<!--")):
        raise ValueError("this script cannot be inlined: it holds </script or <!--, which ends its element")
    return script


def policy_hash(script: str) -> str:
    """The source expression that allows an inline script in a Content-Security-Policy.

    See https://www.w3.org/TR/CSP3/#grammardef-hash-source.
    """
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
