// What is half done outlives the page: one entry a labeller and task. Where storage is denied, it lives as long as the page.
import type { Draft } from "./tasks";

const beside = new Map<string, string>();
const name = (labeller: string, task: string): string => `gptwright.label.${labeller}.${task}`;

export function keep(labeller: string, task: string, draft: Draft): void {
  const text = JSON.stringify(draft);
  beside.set(name(labeller, task), text);
  try {
    localStorage.setItem(name(labeller, task), text);
  } catch {} // denied or full
}

export function kept(labeller: string, task: string): Draft {
  let text = beside.get(name(labeller, task));
  try {
    text = localStorage.getItem(name(labeller, task)) ?? text;
  } catch {} // denied
  try {
    return JSON.parse(text ?? "{}") as Draft;
  } catch {
    return {}; // somebody else's entry
  }
}

export function forget(labeller: string, task: string): void {
  beside.delete(name(labeller, task));
  try {
    localStorage.removeItem(name(labeller, task));
  } catch {} // denied
}
