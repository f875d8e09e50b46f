// Where mathematics stands in Markdown: $…$ and \(…\) in a line, $$…$$ and \[…\] also over several lines. It becomes an
// element of the class "maths" with its TeX as text, which typesetting.ts turns into MathML.
import type { MarkdownIt, StateBlock, StateInline } from "markdown-it";

const LONGEST = 4000; // characters: so a lone mark costs no search through a whole answer
const PAIRS: [string, string][] = [["$$", "$$"], ["\\[", "\\]"], ["\\(", "\\)"], ["$", "$"]];

/** TeX between the marks that open at `at`, and where it ends; null where there is none. */
function between(text: string, at: number): { tex: string; end: number; isBlock: boolean } | null {
  const pair = PAIRS.find(([open]) => text.startsWith(open, at));
  if (!pair) return null;
  const [open, close] = pair;
  const begin = at + open.length;
  const found = text.slice(begin, begin + LONGEST).indexOf(close);
  const tex = text.slice(begin, begin + found);
  if (found < 0 || !tex.trim()) return null;
  // "$5 and $6" are prices: a dollar that opens stands before what it opens, and none closes in front of a digit
  const isPrice = open === "$" && (/^\s|\s$|\n\s*\n/.test(tex) || /^\d/.test(text.slice(begin + found + 1, begin + found + 2)));
  return isPrice ? null : { tex: tex.trim(), end: begin + found + close.length, isBlock: open === "$$" || open === "\\[" };
}

function inline(state: StateInline, silent: boolean): boolean {
  const found = between(state.src.slice(0, state.posMax), state.pos);
  if (!found) return false;
  if (!silent) {
    const token = state.push("maths", "span", 0);
    token.content = found.tex;
    token.block = found.isBlock;
  }
  state.pos = found.end;
  return true;
}

/** A paragraph that begins with $$ or \[ is mathematics up to the closing mark, blank lines and all. */
function block(state: StateBlock, first: number, last: number, silent: boolean): boolean {
  const begin = state.bMarks[first]! + state.tShift[first]!;
  if (!/^(\$\$|\\\[)/.test(state.src.slice(begin, begin + 2))) return false;
  const found = between(state.src, begin);
  if (!found) return false;
  let next = first;
  while (next < last && state.eMarks[next]! < found.end) next++;
  if (next >= last || state.src.slice(found.end, state.eMarks[next]).trim()) return false;
  if (!silent) {
    const token = state.push("maths", "div", 0);
    token.content = found.tex;
    token.block = true;
    token.map = [first, next + 1];
    state.line = next + 1;
  }
  return true;
}

export function mathMarks(markdown: MarkdownIt): void {
  const { escapeHtml } = markdown.utils;
  markdown.inline.ruler.before("escape", "maths", inline);
  markdown.block.ruler.before("fence", "maths", block, { alt: ["paragraph", "reference", "blockquote", "list"] });
  markdown.renderer.rules.maths = (tokens, at) => {
    const { content, block: isBlock } = tokens[at]!;
    return `<span class="maths${isBlock ? " display" : ""}">${escapeHtml(content)}</span>`;
  };
}
