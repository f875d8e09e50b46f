// Code that is worked on: it outlives the panel and a reload. What a model proposes stands beside it until it is taken
// over, and every step can be undone.
import { sampling } from "../chat/settings.svelte";
import type { Model } from "../lib/api";
import { isAborted } from "../lib/errors";
import { keep, readKept } from "../lib/kept";
import { events } from "../lib/server";

const EMPTY = { before: "", after: "", code: "", instruction: "" };
export type Fields = typeof EMPTY;
export type Way = "insert" | "edit";

interface Chunk {
  choices: { text: string; finish_reason: string | null }[];
}

class Bench {
  fields = $state.raw(remembered());
  /** What the model has written so far; null: it was not asked. */
  proposed = $state<string | null>(null);
  way = $state<Way>("insert");
  writing = $state(false);
  /** Whether it ended where it may write no more. */
  cut = $state(false);
  error = $state.raw<unknown>(null);
  #before = $state.raw<Fields[]>([]);
  #aborted = new AbortController();

  get undoable(): boolean {
    return this.#before.length > 0;
  }

  set(part: Partial<Fields>): void {
    this.fields = { ...this.fields, ...part };
    keep("code", JSON.stringify(this.fields));
  }

  async ask(way: Way, model: Model): Promise<void> {
    const { before, after, code, instruction } = this.fields;
    const drawn = { max_tokens: way === "insert" ? model.defaults?.max_tokens : undefined, ...sampling(), model: model.id, stream: true };
    const asked = way === "insert" ? { prompt: before, suffix: after } : { input: code, instruction };
    this.#aborted = new AbortController();
    [this.way, this.proposed, this.writing, this.cut, this.error] = [way, "", true, false, null];
    try {
      const path = way === "insert" ? "/v1/completions" : "/v1/edits";
      for await (const { choices } of events("POST", path, { ...asked, ...drawn }, this.#aborted.signal) as AsyncGenerator<Chunk>) {
        this.proposed += choices[0]?.text ?? "";
        this.cut = choices[0]?.finish_reason === "length";
      }
    } catch (error) {
      if (!isAborted(error)) this.error = error;
      if (!this.proposed) this.proposed = null;
    }
    this.writing = false;
  }

  /** What is written stays; no more comes. */
  stop = (): void => this.#aborted.abort(new DOMException("Stopped.", "AbortError"));

  discard = (): void => void (this.proposed = null);

  takeOver(): void {
    if (this.proposed === null) return;
    this.#before = [...this.#before, this.fields];
    this.set(this.way === "insert" ? { before: this.fields.before + this.proposed } : { code: this.proposed });
    this.proposed = null;
  }

  undo(): void {
    const last = this.#before.at(-1);
    if (!last) return;
    this.#before = this.#before.slice(0, -1);
    this.set(last);
  }
}

function remembered(): Fields {
  try {
    const kept = JSON.parse(readKept("code") || "{}") as Partial<Fields>;
    const known = Object.entries(kept).filter(([name, value]) => name in EMPTY && typeof value === "string");
    return { ...EMPTY, ...Object.fromEntries(known) };
  } catch {
    return EMPTY; // another version of the page wrote this
  }
}

export const bench = new Bench();
