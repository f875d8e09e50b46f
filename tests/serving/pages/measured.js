// What a page has that somebody cannot use; each function gives a list of faults, none where there is none.
window.measured = {
  /** What axe-core finds, by all of its rules or by those named. */
  async rules(...names) {
    const only = names.length ? { runOnly: names } : {};
    const { violations } = await axe.run(document, { resultTypes: ["violations"], ...only });
    const told = ({ html, any }) => `${html.slice(0, 160)} ${any.map((one) => one.message).join("; ").slice(0, 200)}`;
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${told(node)}`));
  },

  /** What axe-core finds by those of its rules that look at colours: letters on their ground, links among letters. */
  colours: () => measured.rules("color-contrast", "link-in-text-block"),

  /** What is smaller than a finger, 44 pixels. */
  small() {
    const found = [];
    for (const one of document.querySelectorAll("button, input, select, textarea, summary, [role=slider], nav a")) {
      const seen = one.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !one.closest("[inert]");
      const label = ["checkbox", "radio"].includes(one.type) ? one.closest("label") : null;
      const { width, height } = (label ?? one).getBoundingClientRect();
      if (!seen || (width >= 43.5 && height >= 43.5)) continue;
      found.push(`small: ${one.outerHTML.slice(0, 120)} ${Math.round(width)} × ${Math.round(height)}`);
    }
    return found;
  },

  /** Fields and buttons whose border is under 3 : 1 against what is around them. */
  faint() {
    const found = [];
    for (const one of document.querySelectorAll("input, select, textarea, button.plain")) {
      if (["checkbox", "radio", "range"].includes(one.type) || one.disabled || !one.checkVisibility()) continue;
      let framed = one; // or a frame around it
      while (framed.parentElement && getComputedStyle(framed).borderTopWidth === "0px") framed = framed.parentElement;
      const ratio = contrast(getComputedStyle(framed).borderTopColor, ground(framed.parentElement));
      if (ratio < 3) found.push(`faint: ${one.outerHTML.slice(0, 120)} ${ratio.toFixed(2)} : 1`);
    }
    return found;
  },
};

const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });

/** Red, green, blue and alpha, from 0 to 1, of any colour of CSS. */
function channels(colour) {
  pen.clearRect(0, 0, 1, 1);
  pen.fillStyle = colour;
  pen.fillRect(0, 0, 1, 1);
  return [...pen.getImageData(0, 0, 1, 1).data].map((one) => one / 255);
}

function luminance(colour) {
  const linear = (one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
  const [red, green, blue] = channels(colour).map(linear);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

/** The colour that is seen behind an element's content. */
function ground(element) {
  for (let at = element; at; at = at.parentElement)
    if (channels(getComputedStyle(at).backgroundColor)[3] > 0.98) return getComputedStyle(at).backgroundColor;
  return "white";
}
