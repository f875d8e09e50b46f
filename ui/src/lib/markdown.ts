// What a model writes, as elements: markdown-it makes HTML (of which the text's own is only text), DOMPurify lets
// through what is known, and a policy of trusted types lets that, and nothing else, into the page.
import DOMPurify from "dompurify";
import MarkdownIt from "markdown-it";

const markdown = new MarkdownIt({ html: false, linkify: false, breaks: true });
markdown.disable(["image"]); // a picture's address would tell another server that it was read
const clean = { ALLOWED_URI_REGEXP: /^(https?|mailto):/i, FORBID_TAGS: ["style", "form", "input", "button"], FORBID_ATTR: ["style", "id", "name"] };

DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.localName !== "a") return;
  node.setAttribute("rel", "noopener noreferrer nofollow");
  node.setAttribute("target", "_blank");
});

const purified = (html: string): string => DOMPurify.sanitize(html, clean);
interface Policies {
  createPolicy(name: string, rules: { createHTML: (html: string) => string }): { createHTML: (html: string) => unknown };
}
const policy = (window as { trustedTypes?: Policies }).trustedTypes?.createPolicy("markdown", { createHTML: purified });

/** Puts what `text` says into `element`, for Svelte's `{@attach rendered(text)}`. */
export const rendered = (text: string) => (element: HTMLElement) => {
  const html = markdown.render(text);
  element.innerHTML = (policy ? policy.createHTML(html) : purified(html)) as string;
};
