"""The colours of a map, as `#rrggbb`: of groups by their rank, of noise, ink and paper."""

NOISE_COLOUR = "#b8bcc2"
INK = "#1f2430"
FAINT_INK = "#6b7280"
PAPER = "#ffffff"

PALETTE = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#6e1423",
    "#2b2488",
    "#962d69",
    "#4f5b14",
)
"""Okabe and Ito's colours (jfly.uni-koeln.de/color) without yellow and black, which paper and ink
swallow, and four more. Under simulated protanopia, deuteranopia and tritanopia (Machado 2009) any
two of them, and each and the grey of noise, stay 7.6 / 100 apart in OKLab, as in the original."""


def group_colours(count: int) -> list[str]:
    """`count` colours as `#rrggbb`: the palette, then the same hues in other lightness."""
    return [_shade(PALETTE[rank % len(PALETTE)], rank // len(PALETTE)) for rank in range(count)]


def _shade(colour: str, turn: int) -> str:
    """The colour where the palette is used for the first time (0), (1) again, (2) …."""
    if not turn:
        return colour
    lightness = _lightness(colour)
    # Steps of the golden ratio keep each new lightness far from all before; the range is what
    # can still be told from white paper and from black ink.
    darkest, lightest = 0.22, 0.74
    span = lightest - darkest
    return _at_lightness(colour, darkest + (lightness - darkest + turn * 0.382 * span) % span)


def text_colour(colour: str) -> str:
    """The same hue, dark enough to be read as text on white."""
    return _at_lightness(colour, min(_lightness(colour), 0.3))


def _parts(colour: str) -> list[float]:
    """Red, green and blue, each 0 to 1."""
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def _lightness(colour: str) -> float:
    """(max + min) / 2 of the parts, as in HLS: 0 to 1."""
    return (max(_parts(colour)) + min(_parts(colour))) / 2


def _at_lightness(colour: str, lightness: float) -> str:
    """`colour` mixed with white or black. (A turn in HLS makes neon out of a saturated colour.)"""
    now = _lightness(colour)
    if lightness > now:
        white = (lightness - now) / (1 - now)
        parts = [part + white * (1 - part) for part in _parts(colour)]
    else:
        parts = [part * lightness / now for part in _parts(colour)]
    return "#" + "".join(f"{round(255 * part):02x}" for part in parts)
