// The few marks of Markdown that small models write, as DOM nodes. Text only ever becomes text: no HTML is parsed,
// nothing becomes a link or a picture.

const INLINE = /(`+)(.+?)\1(?!`)|\*\*(?=\S)(.+?)\*\*|\*(?=[^\s*])([^*\n]*[^\s*])\*/gs;
const ITEM = /^\s{0,6}([-*+]|\d{1,9}[.)])\s+(.*)$/;
const FENCE = /^\s{0,3}(```+|~~~+)\s*([\w+#.-]*)\s*$/;
const HEADING = /^(#{1,6})\s+(.*)$/;

export function render(text) {
  const page = document.createDocumentFragment();
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  for (let at = 0; at < lines.length; ) at = block(lines, at, page);
  return page;
}

// Adds the block that begins at line `at`; returns the line after it.
function block(lines, at, page) {
  if (!lines[at].trim()) return at + 1;
  if (FENCE.test(lines[at])) return codeBlock(lines, at, page);
  if (ITEM.test(lines[at])) return list(lines, at, page);
  const heading = HEADING.exec(lines[at]);
  if (heading) {
    page.append(inline(heading[2], "h3"));
    return at + 1;
  }
  let end = at + 1;
  while (end < lines.length && lines[end].trim() && ![FENCE, ITEM, HEADING].some((mark) => mark.test(lines[end]))) end++;
  page.append(inline(lines.slice(at, end).join("\n"), "p"));
  return end;
}

function codeBlock(lines, at, page) {
  const mark = FENCE.exec(lines[at])[1];
  let end = at + 1;
  while (end < lines.length && !lines[end].trim().startsWith(mark)) end++;
  const pre = document.createElement("pre");
  pre.tabIndex = 0;
  const code = document.createElement("code");
  code.textContent = lines.slice(at + 1, end).join("\n");
  pre.append(code);
  page.append(pre);
  return end + 1;
}

function list(lines, at, page) {
  const [, mark] = ITEM.exec(lines[at]);
  const numbered = /\d/.test(mark);
  const made = document.createElement(numbered ? "ol" : "ul");
  if (numbered) made.start = Number.parseInt(mark, 10);
  let end = at;
  for (let item; end < lines.length && (item = ITEM.exec(lines[end])) && /\d/.test(item[1]) === numbered; ) {
    let last = end + 1;
    while (last < lines.length && /^\s+\S/.test(lines[last]) && !ITEM.test(lines[last])) last++;
    made.append(inline([item[2], ...lines.slice(end + 1, last).map((line) => line.trim())].join("\n"), "li"));
    end = last;
  }
  page.append(made);
  return end;
}

function inline(text, name) {
  const element = document.createElement(name);
  let after = 0;
  for (const found of text.matchAll(INLINE)) {
    element.append(text.slice(after, found.index));
    if (found[1]) {
      const code = document.createElement("code");
      code.textContent = found[2].trim() || found[2];
      element.append(code);
    } else {
      element.append(found[3] ? inline(found[3], "strong") : inline(found[4], "em"));
    }
    after = found.index + found[0].length;
  }
  element.append(text.slice(after));
  return element;
}
