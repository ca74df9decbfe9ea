"""SVG elements, and the one style sheet of the picture.

Written with the standard library, whose writer escapes every text. Libraries that draw charts bring
a script into the picture (pygal, which has no types either) or tens of megabytes (matplotlib), and
colours for one ground. Those that only write elements leave the layout to us, which is the work.
"""

import base64
import hashlib
from xml.etree.ElementTree import Element, SubElement

from tandem.text import storable

STYLE = (
    "text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}"
    ".ground{fill:#fff}.gap{fill:#eaeef2}.grid{stroke:#d8dee4}"
    ".ink{fill:#1f2328}.soft{fill:#59636e}.title{font-size:17px;font-weight:600}"
    ".panel{font-weight:600}.area{fill:currentColor}"
    ".line{fill:none;stroke:currentColor;stroke-width:1.75;stroke-linecap:round;"
    "stroke-linejoin:round}"
    ".succeeded,.c0{color:#0969da}.failed{color:#cf222e}.cancelled{color:#818b98}"
    ".c1{color:#bc4c00}.c2{color:#1a7f37}.c3{color:#8250df}.c4{color:#bf3989}.c5{color:#59636e}"
    "@media(prefers-color-scheme:dark){"
    ".ground{fill:#0d1117}.gap{fill:#21262d}.grid{stroke:#30363d}"
    ".ink{fill:#e6edf3}.soft{fill:#9198a1}"
    ".succeeded,.c0{color:#58a6ff}.failed{color:#ff7b72}.cancelled{color:#9198a1}"
    ".c1{color:#f0883e}.c2{color:#3fb950}.c3{color:#bc8cff}.c4{color:#f778ba}.c5{color:#9198a1}}"
)
"""Colours that people with any colour vision tell apart, on a light and on a dark ground."""

COLOURS = ("c0", "c1", "c2", "c3", "c4", "c5")

STYLE_HASH = f"'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
"""What a Content-Security-Policy allows the style sheet by."""

_MOST_CHARACTERS = 500


def add(parent: Element, name: str, text: str = "", /, **attributes: str | float) -> Element:
    """Add an element to another and return it. An attribute's `_` stands for `-`."""
    named = {key.strip("_").replace("_", "-"): _written(value) for key, value in attributes.items()}
    found = SubElement(parent, name, named)
    if text:
        found.text = storable(text, _MOST_CHARACTERS)
    return found


def cut(text: str, characters: int) -> str:
    """Return a text in so many characters."""
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


def _written(value: str | float) -> str:
    """Return an attribute's value. A length to a hundredth of a pixel."""
    return value if isinstance(value, str) else f"{round(value, 2):g}"
