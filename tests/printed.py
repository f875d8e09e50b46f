"""What is wrong with a page on paper: A4, where nothing can be scrolled, pressed or opened, and dark ink is dear."""

from playwright.sync_api import Page

WIDTH = 718
"""points of an A4 page between Chromium's margins"""
WRONG = """() => {
  const wrong = [];
  const light = (colour) => {
    const [red, green, blue] = colour.match(/[\\d.]+/g).map(Number);
    return (0.299 * red + 0.587 * green + 0.114 * blue) / (colour.startsWith("color(") ? 1 : 255);
  };
  const named = (e) => `${e.tagName.toLowerCase()}.${e.className} ${JSON.stringify((e.innerText ?? "").slice(0, 30))}`;
  const hides = (value) => value !== "visible";
  for (const e of document.body.querySelectorAll("*")) {
    const box = e.getBoundingClientRect(), style = getComputedStyle(e);
    if (!box.width || !box.height || e.closest("svg > *, .unseen") || style.clipPath !== "none") continue;
    if (box.right > innerWidth + 1 || box.left < -1) wrong.push(`beside the paper: ${named(e)}`);
    if (hides(style.overflowX) && e.scrollWidth > e.clientWidth + 1) wrong.push(`cut at its side: ${named(e)}`);
    if (hides(style.overflowY) && e.scrollHeight > e.clientHeight + 1) wrong.push(`cut below: ${named(e)}`);
    const pressed = e.matches("button") && (e.innerText.trim() || e.querySelector("svg")) && !e.querySelector("canvas");
    if (pressed || e.matches("input, textarea, select, nav")) wrong.push(`to be used: ${named(e)}`);
  }
  for (const e of document.querySelectorAll("details"))
    if (e.checkVisibility() && ![...e.children].at(-1).checkVisibility()) wrong.push(`closed: ${named(e)}`);
  const { backgroundColor, color } = getComputedStyle(document.body);
  if (light(backgroundColor) < 0.9) wrong.push(`dark paper: ${backgroundColor}`);
  if (light(color) > 0.35) wrong.push(`pale ink: ${color}`);
  return wrong;
}"""


def wrong_on_paper(page: Page) -> list[str]:
    """Each fault with the element that has it, of a person whose system and page are dark."""
    page.set_viewport_size({"width": WIDTH, "height": 1000})
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    return page.evaluate(WRONG)
