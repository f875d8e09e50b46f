// A text that grows, cut where Markdown's blocks end: those that have ended are rendered once, only the last one again.
import { openings, type Opening } from "./markdown";

/** A piece of an answer: a fence of code of its own, or Markdown. `done`: nothing that comes can change it. */
export type Block = { text: string; done: boolean } & ({ code: false } | { code: true; language: string });

export class Blocks {
  private known = "";
  private settled: Block[] = [];
  private from = 0;

  /** The blocks of `text`; fast where it begins with the text of the last time. `whole`: no more comes. */
  of(text: string, whole: boolean): Block[] {
    if (!text.startsWith(this.known)) [this.settled, this.from] = [[], 0];
    this.known = text;
    const rest = text.slice(this.from);
    const lines = rest.slice(0, whole ? undefined : rest.lastIndexOf("\n") + 1); // a line that goes on may be anything
    const found = openings(lines);
    const last = found.at(-1)?.start ?? 0;
    const ended = found.slice(0, -1).map((one, at) => block(one, rest.slice(one.start, found[at + 1]!.start), true));
    if (whole) return [...this.settled, ...ended, ...(rest ? [block(found.at(-1), rest.slice(last), true)] : [])];
    this.settled = [...this.settled, ...ended];
    this.from += last;
    return rest.length > last ? [...this.settled, block(openings(rest.slice(last))[0], rest.slice(last), false)] : this.settled;
  }
}

function block(opening: Opening | undefined, text: string, done: boolean): Block {
  return opening?.fence ? { ...opening.fence, code: true, done } : { text, done, code: false };
}
