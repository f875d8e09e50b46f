// Characters of a text as people count them: a place in UTF-16 would cut what lies beyond it in two.

/** The part of `element`'s text that is selected, as [start, end]; null without one. */
export function selectedIn(element: HTMLElement): [number, number] | null {
  const selection = getSelection();
  if (!selection?.rangeCount || selection.isCollapsed) return null;
  const range = selection.getRangeAt(0);
  if (!element.contains(range.startContainer) || !element.contains(range.endContainer)) return null;
  const before = document.createRange();
  before.selectNodeContents(element);
  before.setEnd(range.startContainer, range.startOffset);
  const start = [...before.toString()].length;
  const length = [...range.toString()].length;
  return length ? [start, start + length] : null;
}

export const within = (text: string, [start, end]: readonly [number, number]): string => [...text].slice(start, end).join("");

/** Where `words` stand in a text first. */
export function find(text: string, words: string): [number, number] | null {
  const at = words ? text.indexOf(words) : -1;
  if (at < 0) return null;
  const start = [...text.slice(0, at)].length;
  return [start, start + [...words].length];
}

export interface Piece {
  text: string;
  marked: boolean;
}

/** A text in pieces, of which those that a span covers are marked. */
export function pieces(text: string, spans: readonly (readonly [number, number])[]): Piece[] {
  const characters = [...text];
  const ends = [...new Set([0, characters.length, ...spans.flat()])].sort((one, other) => one - other);
  return ends.slice(1).map((end, at) => ({
    text: characters.slice(ends[at], end).join(""),
    marked: spans.some(([from, to]) => from <= ends[at]! && end <= to),
  }));
}
