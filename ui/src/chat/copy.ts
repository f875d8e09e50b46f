// To the clipboard, and said: also where the browser refuses.
import { note } from "../lib/live.svelte";
import { words } from "./words";

export async function copyText(text: string): Promise<void> {
  if (!text) return;
  try {
    await navigator.clipboard.writeText(text);
    note(words().copied);
  } catch {
    note(words().notCopied);
  }
}
