// Keys that do something wherever the focus is. What types a letter works only outside of boxes.

export type Shortcut = "new" | "search" | "focus" | "copy" | "keys" | "stop";

const apple = /Mac|iP(hone|ad|od)/.test(navigator.platform);
const MAIN = apple ? "⌘" : "Ctrl";

/** As they are shown, in the order of the sheet. */
export const SHOWN: { name: Shortcut; keys: string[] }[] = [
  { name: "new", keys: [MAIN, "Shift", "O"] },
  { name: "search", keys: [MAIN, "K"] },
  { name: "focus", keys: ["Shift", "Esc"] },
  { name: "copy", keys: [MAIN, "Shift", "Y"] },
  { name: "stop", keys: ["Esc"] },
  { name: "keys", keys: ["?"] },
];

export function shortcut(event: KeyboardEvent): Shortcut | undefined {
  if (event.isComposing || event.defaultPrevented || event.altKey) return undefined;
  const key = event.key.toLowerCase();
  if (event.metaKey || event.ctrlKey) {
    if (event.shiftKey) return key === "o" ? "new" : key === "y" ? "copy" : undefined;
    return key === "k" ? "search" : key === "/" ? "keys" : undefined;
  }
  if (key === "escape") return event.shiftKey ? "focus" : "stop";
  return key === "?" && !isBox(event.target) ? "keys" : undefined;
}

const isBox = (target: EventTarget | null): boolean => target instanceof Element && target.matches("input, textarea, select");
