"""Words beside pictures that must not run into their neighbours."""

from PIL import ImageFont


def fitting(text: str, width: int, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> str:
    """A text, cut off with an ellipsis where it is longer than ``width`` pixels."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"
