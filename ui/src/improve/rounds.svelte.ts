// A round of ranking: questions, answers drawn ahead of the one who ranks, and what was said of each.
import * as api from "../lib/api";
import { draw, type Drawn } from "./draw";

const AHEAD = 3; // questions whose answers are drawn before they are needed
const IN_VAIN = 8; // questions in a row to which all answers are equal, after which it is given up

export class Round {
  /** With answers, in the order in which they are ranked. */
  drawn = $state.raw<Drawn[]>([]);
  /** Which of them is ranked now. */
  at = $state(0);
  ranked = $state(0);
  error = $state.raw<unknown>(null);
  saving = $state(false);
  /** All answers to a question are equal, again and again. */
  same = $state(false);
  #conversation = "";
  #asked = 0;
  #drawing = false;
  #ended = false;

  constructor(
    readonly questions: string[],
    readonly answers: number,
    readonly total: number,
    private readonly title: string,
    private readonly warmth: number,
  ) {}

  get now(): Drawn | undefined {
    return this.drawn[this.at];
  }

  get done(): boolean {
    return this.ranked >= this.total;
  }

  /** Draws until there are enough ahead. Called again after an error it goes on. */
  async fill(): Promise<void> {
    if (this.#drawing) return;
    this.#drawing = true;
    this.error = null;
    try {
      this.#conversation ||= (await api.newConversation({ title: this.title, folder: this.title })).id;
      for (let vain = 0; !this.#ended && this.#wanted(); ) {
        const question = this.questions[this.#asked % this.questions.length]!;
        const one = await draw(this.#conversation, question, this.answers, this.warmth);
        this.#asked += 1;
        vain = one.answers.length > 1 ? 0 : vain + 1;
        if (one.answers.length > 1) this.drawn = [...this.drawn, one];
        else if (vain >= IN_VAIN) {
          this.same = true;
          break;
        }
      }
    } catch (error) {
      this.error = error;
    }
    this.#drawing = false;
  }

  #wanted = (): boolean => this.drawn.length - this.at < AHEAD && this.drawn.length - this.at < this.total - this.ranked;

  /** Keeps what was said of the answers shown, and goes on; null goes on without. */
  async say(ranks: number[] | null): Promise<void> {
    const one = this.now;
    if (!one || this.saving) return;
    this.saving = true;
    this.error = null;
    try {
      const answers = one.answers.map((answer) => answer.id);
      if (ranks) await api.putLabel(one.id, "ranking", { answers, ranks });
      this.#said.push(ranks !== null);
      this.ranked += ranks ? 1 : 0;
      this.at += 1;
      void this.fill();
    } catch (error) {
      this.error = error;
    }
    this.saving = false;
  }

  #said: boolean[] = [];

  /** Takes the last one back. */
  async undo(): Promise<void> {
    if (this.at === 0 || this.saving) return;
    this.saving = true;
    try {
      if (this.#said.at(-1)) await api.withdrawLabel(this.drawn[this.at - 1]!.id, "ranking");
      this.ranked -= this.#said.pop() ? 1 : 0;
      this.at -= 1;
    } catch (error) {
      this.error = error;
    }
    this.saving = false;
  }

  end = (): void => {
    this.#ended = true;
  };
}
