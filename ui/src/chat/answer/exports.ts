// A conversation as a file: everything as JSON, the open branch as Markdown, or as one page that only reads.
import { labelsOfConversation, openConversation, type Message } from "../../lib/api";
import { html } from "../../lib/markdown";
import { imagesOf } from "../../lib/parts";
import { language } from "../../lib/words.svelte";
import { words } from "./words";

const STYLE = `
:root{color-scheme:light dark;--page:light-dark(#fbfaf7,#181614);--ink:light-dark(#24211d,#ece7df);--faint:light-dark(#645d55,#a89f93);
--tint:light-dark(#f1ece3,#2d2925);--line:light-dark(#e2dbcf,#3b3630);--accent:light-dark(#9c4318,#eda071)}
body{max-width:46rem;margin:2rem auto;padding:0 1rem;background:var(--page);color:var(--ink);font:16px/1.6 system-ui,sans-serif;overflow-wrap:anywhere}
h2{font-size:.85rem;color:var(--faint);margin:2rem 0 .4rem}.user{background:var(--tint);border-radius:1rem;padding:.6rem 1rem;white-space:pre-wrap}
a{color:var(--accent)}pre{background:var(--tint);border-radius:.6rem;padding:.8rem;overflow-x:auto;overflow-wrap:normal}
code{font-family:ui-monospace,Menlo,Consolas,monospace}table{display:block;overflow-x:auto;border-collapse:collapse}
th,td{border:1px solid var(--line);padding:.3rem .6rem}blockquote{border-inline-start:3px solid var(--line);margin-inline:0;padding-inline-start:1rem}
img{display:block;max-width:100%;border-radius:.5rem}
.right{text-align:right}.center{text-align:center}`;

/** Text as HTML: nothing in it is a mark. */
const escaped = (text: string): string => text.replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);

const nameOf = ({ role, model }: Message): string => (role === "assistant" && model) || words()[role];

/** All branches, with what was said of them. */
export async function asData(id: string): Promise<string> {
  const [conversation, labels] = await Promise.all([openConversation(id), labelsOfConversation(id)]);
  return JSON.stringify({ ...conversation, labels }, null, 2);
}

export const asMarkdown = (title: string, shown: readonly Message[]): string =>
  [`# ${title.replace(/\s+/g, " ")}`, ...shown.flatMap((one) => [`## ${nameOf(one)}`, ...imagesOf(one.parts).map((_, at) => `[${words().pictureOf(at + 1)}]`), one.content])].join("\n\n") + "\n";

/** Without a script: the policy in it lets none run, and nothing be asked of anybody. */
export function asPage(title: string, shown: readonly Message[]): string {
  const turns = shown.map((one) => {
    const images = imagesOf(one.parts).map((url, at) => `<img src="${escaped(url)}" alt="${words().pictureOf(at + 1)}">`);
    const body = images.join("") + (one.role === "assistant" ? html(one.content) : escaped(one.content));
    return `<h2 dir="auto">${escaped(nameOf(one))}</h2>\n<article class="${one.role === "assistant" ? "answer" : "user"}" dir="auto">${body}</article>`;
  });
  return `<!doctype html>
<html lang="${language() === "zh" ? "zh-Hans" : "en"}">
<head>
<meta charset="utf-8">
<meta http-equiv="content-security-policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1 dir="auto">${escaped(title)}</h1>
${turns.join("\n")}
</body>
</html>
`;
}

/** Hands a file to the person. */
export function download(name: string, type: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
