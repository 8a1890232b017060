"""Texts of a page whose contrast is below 4.5 (WCAG 2, AA), as a browser has drawn them."""

from __future__ import annotations

from typing import Any

_SCRIPT = r"""() => {
  const light = c => {
    const f = c.map(v => { v /= 255; return v <= .03928 ? v / 12.92 : Math.pow((v + .055) / 1.055, 2.4); });
    return .2126 * f[0] + .7152 * f[1] + .0722 * f[2];
  };
  const parts = s => {
    const m = s.match(/[\d.]+/g).map(Number);
    return s.startsWith('color(srgb') ? [m[0] * 255, m[1] * 255, m[2] * 255, m[3]] : m;
  };
  const over = (top, below) => {
    const a = top[3] === undefined ? 1 : top[3];
    return [0, 1, 2].map(i => top[i] * a + below[i] * (1 - a));
  };
  const behind = e => {
    const found = [];
    for (; e; e = e.parentElement) found.push(parts(getComputedStyle(e).backgroundColor));
    return found.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const faults = {};
  for (const e of document.querySelectorAll('.stApp *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    if (!e.offsetParent || e.closest('canvas, svg, [disabled], [aria-disabled=true]')) continue;
    if (getComputedStyle(e).fontFamily.includes('Material')) continue;
    let opacity = 1;
    for (let p = e; p; p = p.parentElement) opacity *= +getComputedStyle(p).opacity;
    if (opacity === 0) continue;  // links that the menu of further pages has instead
    const below = behind(e), text = parts(getComputedStyle(e).color);
    const drawn = over([text[0], text[1], text[2], (text[3] === undefined ? 1 : text[3]) * opacity], below);
    const [a, b] = [light(drawn) + .05, light(below) + .05].sort((x, y) => y - x);
    if (a / b < 4.5) faults[e.textContent.trim().slice(0, 40)] = (a / b).toFixed(2);
  }
  return faults;
}"""


_IS_DARK = """() => {
  const [red, green, blue] = getComputedStyle(document.querySelector('.stApp')).backgroundColor.match(/[0-9.]+/g);
  return +red + +green + +blue < 200;
}"""


def faint_texts(page: Any) -> dict[str, str]:
    """Text -> contrast, of what stays faint: a page that is being drawn again fades first.

    Disabled controls, icons and drawings are left out.
    """
    found: dict[str, str] = {}
    for _ in range(50):
        found = page.evaluate(_SCRIPT)
        if not found:
            break
        page.wait_for_timeout(200)
    return found


def go_dark(page: Any) -> None:
    """Change to dark colours, and wait until they are shown."""
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(_IS_DARK)
