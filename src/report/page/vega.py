"""Vega's scripts as the installed vl-convert carries them: charts need no network."""

import base64
import functools
import hashlib

import vl_convert

NOTICE = (
    "/* Vega, Vega-Lite, Vega-Embed and their parts: BSD 3-Clause, University of Washington Interactive Data Lab;"
    " see https://vega.github.io */"
)
VERSION = "6.4"  # of Vega-Lite, that Altair writes
SNIPPET = "window.vegaEmbed = vegaEmbed;"


@functools.cache  # it takes seconds
def vega_script() -> str:
    """A script that defines `vegaEmbed`; `ValueError` as of `inline`."""
    return inline(f"{NOTICE}\n{vl_convert.javascript_bundle(SNIPPET, VERSION)}")


def inline(script: str) -> str:
    """The script, if it can stand in an element of a page as it is."""
    if any(end in script.lower() for end in ("</script", "<!--")):
        raise ValueError("a script that cannot be inlined: it holds an end of its element")
    return script


def policy_hash(script: str) -> str:
    """What a Content-Security-Policy names an inline script by: https://www.w3.org/TR/CSP3/#grammardef-hash-source"""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
