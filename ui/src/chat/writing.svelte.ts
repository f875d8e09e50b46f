// An answer while it is written. It outlives its connection: a lost one is made again, and goes on where it was.
import type { Begun, Message } from "../lib/api";
import { isAborted } from "../lib/errors";
import { ServerError } from "../lib/server";
import type { AnswerEvent, Backend } from "./backend";

const FIRST_WAIT = 500; // milliseconds; each further wait is twice as long
const LONGEST_WAIT = 8000;
const FRAME = 33; // milliseconds between two drawings of a growing text
const KEPT = 500; // milliseconds of writing that a browser that dies may lose
const DRAWN = 200; // characters that are drawn in a millisecond: the longer a text, the rarer it is drawn

export class Writing {
  /** As it is shown; `whole` may be a moment ahead. */
  text = $state("");
  whole = "";
  /** Where it stands in line, from 1; 0 when its turn has come. */
  place = $state(0);
  /** Why nothing comes, while the connection is lost. */
  lost = $state.raw<unknown>(null);
  #offset = 0;
  #wake = () => {};
  #drawing: ReturnType<typeof setTimeout> | undefined;
  #keeping: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly begun: Begun,
    private readonly backend: Backend,
    private readonly aborted = new AbortController(),
    /** Keeps what there is of it. */
    private readonly keep: (text: string) => void = () => {},
  ) {}

  /** Takes what comes, and makes the connection again until the answer ends. Raises what ends it otherwise. */
  async follow(events?: AsyncGenerator<AnswerEvent>): Promise<Message> {
    for (let wait = FIRST_WAIT; ; wait = Math.min(wait * 2, LONGEST_WAIT)) {
      const before = this.#offset;
      try {
        const message = await this.#take(events ?? this.backend.follow(this.begun.id, this.#offset, this.aborted.signal));
        if (message) return message;
        throw new ServerError(0, "The connection ended.", "unreachable");
      } catch (error) {
        if (isAborted(error) || !(error instanceof ServerError) || error.status !== 0) throw error;
        this.#draw();
        this.#keep();
        this.lost = error;
      }
      events = undefined;
      if (this.#offset > before) wait = FIRST_WAIT;
      await this.#pause(wait);
    }
  }

  /** Asks again at once, without waiting any longer. */
  hurry = (): void => this.#wake();

  /** Follows it no more; the server writes on. */
  leave(): void {
    clearTimeout(this.#keeping);
    this.aborted.abort(new DOMException("Left.", "AbortError"));
    this.#wake();
  }

  /** Nothing of it is kept from now on: somebody else has it. */
  forget(): void {
    clearTimeout(this.#keeping);
    this.keep("");
  }

  async #take(events: AsyncGenerator<AnswerEvent>): Promise<Message | undefined> {
    for await (const event of events) {
      this.aborted.signal.throwIfAborted();
      this.lost = null;
      if ("message" in event) return event.message;
      if ("place" in event) this.place = event.place;
      if ("text" in event) {
        this.place = 0;
        this.#grow(event.text);
        this.#offset = event.offset;
      }
    }
    return undefined;
  }

  #grow(piece: string): void {
    this.whole += piece;
    this.#keeping ??= setTimeout(() => this.#keep(), KEPT);
    if (!this.text) this.#draw();
    else this.#drawing ??= setTimeout(() => this.#draw(), Math.max(FRAME, this.whole.length / DRAWN));
  }

  #keep(): void {
    clearTimeout(this.#keeping);
    this.#keeping = undefined;
    this.keep(this.whole);
  }

  #draw(): void {
    clearTimeout(this.#drawing);
    this.#drawing = undefined;
    this.text = this.whole;
  }

  async #pause(wait: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      setTimeout(resolve, wait);
      addEventListener("online", () => resolve(), { once: true, signal: this.aborted.signal });
    });
    this.aborted.signal.throwIfAborted();
  }
}
