// What a model writes, as elements: markdown-it makes HTML (of which the text's own is only text), DOMPurify lets
// through what is known, and a policy of trusted types lets that, and nothing else, into the page.
import DOMPurify from "dompurify";
import MarkdownIt, { type Token } from "markdown-it";
import { mathMarks } from "./mathmarks";

const BLOCKS = new Set(["paragraph_open", "heading_open", "bullet_list_open", "ordered_list_open", "list_item_open",
  "blockquote_open", "th_open", "td_open"]);
const FOLLOWED = /^(https?|mailto):/i; // addresses that a click may open; all others go

const markdown = new MarkdownIt({ html: false, linkify: false, breaks: true, maxNesting: 40 }).use(mathMarks);
markdown.validateLink = (url) => FOLLOWED.test(url);
markdown.core.ruler.push("headings", (state) => {
  for (const token of state.tokens) // they stand below the page's own
    if (token.type.startsWith("heading_")) token.tag = `h${Math.min(6, Number(token.tag[1]) + 2)}`;
});
markdown.core.ruler.push("direction", (state) => {
  for (const token of state.tokens) {
    if (BLOCKS.has(token.type)) token.attrSet("dir", "auto");
    const aligned = /^text-align:(\w+)$/.exec(String(token.attrGet("style")));
    if (aligned) token.attrs = [["dir", "auto"], ["class", aligned[1]!]]; // inline styles are not allowed on our pages
  }
});
const { escapeHtml } = markdown.utils;
// A picture's address would tell another server that it was read, so it stays text.
markdown.renderer.rules.image = (tokens, at) => {
  const { content, attrs } = tokens[at]!;
  return escapeHtml(`![${content}](${attrs?.find(([name]) => name === "src")?.[1] ?? ""})`);
};

const clean = {
  ALLOWED_URI_REGEXP: /^(?:(?:https?|mailto):|[^a-z]|[a-z+.-]+(?:[^a-z+.\-:]|$))/i, // of every attribute, also of dir="auto"
  FORBID_TAGS: ["style", "form", "input", "button", "img", "svg"],
  FORBID_ATTR: ["style", "id", "name"],
};

DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  for (const name of ["href", "xlink:href", "src", "cite"])
    if (node.hasAttribute(name) && !FOLLOWED.test(node.getAttribute(name)!)) node.removeAttribute(name);
  if (node.localName !== "a") return;
  node.setAttribute("rel", "noopener noreferrer nofollow");
  node.setAttribute("target", "_blank");
  node.setAttribute("title", node.getAttribute("href") ?? "");
});

const purified = (html: string): string => DOMPurify.sanitize(html, clean);
interface Policies {
  createPolicy(name: string, rules: { createHTML: (html: string) => string }): { createHTML: (html: string) => unknown };
}
const policy = (window as { trustedTypes?: Policies }).trustedTypes?.createPolicy("markdown", { createHTML: purified });

function put(element: Element, html: string): void {
  element.innerHTML = (policy ? policy.createHTML(html) : purified(html)) as string;
}

let typesetting: typeof import("./typesetting") | undefined; // loaded with the first formula

async function typesetAll(element: Element): Promise<void> {
  const places = element.querySelectorAll(".maths");
  if (!places.length) return;
  typesetting ??= await import("./typesetting");
  for (const place of places) {
    const tex = place.textContent;
    try {
      put(place, typesetting.typeset(tex, place.classList.contains("display")));
      place.setAttribute("title", tex);
    } catch {} // no TeX: it is read as it is
  }
}

/** The same as HTML for a file: purified, formulas as their TeX. */
export const html = (text: string): string => purified(markdown.render(text));

/** Puts what `text` says into `element`, for Svelte's `{@attach rendered(text)}`. */
export const rendered = (text: string) => (element: HTMLElement) => {
  put(element, markdown.render(text));
  typesetAll(element).catch(() => {}); // without the library the TeX is read as it is
};

/** Puts code into `element`, with colours where its language is known. */
export const coloured = (code: string, language: string, done: boolean) => (element: HTMLElement) => {
  element.textContent = code;
  if (!done || !language) return;
  import("./highlighting")
    .then(({ highlighted }) => highlighted(code, language))
    .then((html) => html !== null && element.textContent === code && put(element, html))
    .catch(() => {}); // without the library it is read as it is
};

/** Where a block begins, and its code and language where it is a fence. */
export interface Opening {
  start: number;
  fence?: { text: string; language: string };
}

/** The blocks at the outermost level of `text`, without looking into their lines. */
export function openings(text: string): Opening[] {
  const tokens: Token[] = [];
  markdown.block.parse(text, markdown, {}, tokens);
  const starts = tokens.filter((token) => token.level === 0 && token.map && token.nesting >= 0);
  const found: Opening[] = [];
  let line = 0;
  let at = 0;
  for (const token of starts) {
    for (; line < token.map![0]; line++) at = text.indexOf("\n", at) + 1;
    const language = token.info.trim().split(/\s/, 1)[0]!.toLowerCase();
    const isFence = token.type === "fence";
    found.push(isFence ? { start: at, fence: { text: token.content.replace(/\n$/, ""), language } } : { start: at });
  }
  return found;
}
