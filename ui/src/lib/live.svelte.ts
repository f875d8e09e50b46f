// What a screen reader is told, and notes that go by themselves, with a way back where there is one.

export interface Note {
  id: number;
  text: string;
  undo?: () => void;
}

const LASTS = 8000; // milliseconds
const state = $state({ spoken: "", notes: [] as Note[] });
let last = 0;

export const spoken = (): string => state.spoken;
export const notes = (): Note[] => state.notes;

/** Tells a screen reader, politely. */
export function announce(text: string): void {
  state.spoken = text;
}

/** Shows a note for some seconds, and announces it. */
export function note(text: string, undo?: () => void): void {
  const id = ++last;
  state.notes.push(undo ? { id, text, undo } : { id, text });
  announce(text);
  setTimeout(() => dismiss(id), LASTS);
}

export function dismiss(id: number): void {
  state.notes = state.notes.filter((one) => one.id !== id);
}
