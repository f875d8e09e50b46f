// Code inside a list or a quotation gets the same buttons as other code, once its block has ended.
import { mount, unmount } from "svelte";
import Code from "./Code.svelte";

export function nestedCode(element: HTMLElement): () => void {
  const made = [...element.querySelectorAll("pre")].map((pre) => {
    const code = pre.querySelector("code") ?? pre;
    const language = /language-(\S+)/.exec(code.className)?.[1] ?? "";
    const host = document.createElement("div");
    pre.replaceWith(host);
    return mount(Code, { target: host, props: { code: code.textContent.replace(/\n$/, ""), language, done: true } });
  });
  return () => made.forEach((one) => void unmount(one));
}
