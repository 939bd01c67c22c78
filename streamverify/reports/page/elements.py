"""Elements of HTML and SVG. The standard library's serializer escapes every text and attribute, whatever is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, tostring

from streamverify.core.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable


def element(name: str, /, *children: Element | str | None, **attributes: str | float | None) -> Element:
    """Make an element.

    Args:
        name: Its tag.
        children: Elements and texts in their order; None is left out. Control characters in texts become visible.
        attributes: `class_` is `class`, `stroke_width` is `stroke-width`; None is left out.
    """
    made = Element(name)
    for key, value in attributes.items():
        if value is not None:
            made.set(key.rstrip("_").replace("_", "-"), _number(value) if isinstance(value, float) else str(value))
    extend(made, children)
    return made


def extend(parent: Element, children: Iterable[Element | str | None]) -> None:
    """Add children at the end."""
    for child in children:
        if isinstance(child, Element):
            parent.append(child)
        elif child and len(parent):
            parent[-1].tail = (parent[-1].tail or "") + printable(child)
        elif child:
            parent.text = (parent.text or "") + printable(child)


def document(language: str, head: Element, body: Element) -> str:
    """Write a whole page."""
    return "<!DOCTYPE html>\n" + tostring(element("html", head, body, lang=language), "unicode", method="html") + "\n"


def _number(value: float) -> str:
    """Write a coordinate: a tenth of a pixel is enough, and keeps the page small."""
    return f"{value:.1f}".removesuffix(".0")
