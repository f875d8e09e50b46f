// One conversation with the model in the page.
import type { Engine } from "./engine/engine";
import type { Message, Tokenizer } from "./engine/tokenizer";
import type { Step } from "./engine/worker";
import type { Defaults, PageData } from "./page";

/** What was said; of an answer also what was read before it, its tokens, and whether it was cut. */
export interface Said extends Message {
  prompt?: number[];
  steps?: Step[];
  cut?: "length" | "stopped";
}

const REPLY_SHARE = 4; // a reply may need 1 / so much of the context: that is kept free (gptwright/pipelines/truncation.py)

export class Conversation {
  said = $state.raw<Said[]>([]);
  busy = $state(false);
  problem = $state<"tooLong" | "broken" | null>(null);
  system = $state("");
  settings = $state<Defaults>()!;
  private stopped = false;
  private turn = 0; // an answer to a conversation that was left is not shown

  constructor(
    readonly page: PageData,
    readonly engine: Engine,
    readonly tokenizer: Tokenizer,
  ) {
    this.settings = { ...page.sampling };
    engine.opened.catch(() => (this.problem = "broken"));
  }

  readonly last = $derived(this.said.findLast((one) => one.steps?.length));

  async send(content: string): Promise<void> {
    if (this.busy) return;
    this.said = [...this.said, { role: "user", content }];
    await this.answer();
  }

  /** Another answer to the last question. */
  async again(): Promise<void> {
    if (this.busy) return;
    this.said = this.said.slice(0, this.said.findLastIndex((one) => one.role === "user") + 1);
    await this.answer();
  }

  stop(): void {
    this.stopped = true;
  }

  begin(): void {
    this.turn++;
    [this.said, this.problem, this.busy, this.stopped] = [[], null, false, true];
  }

  private async answer(): Promise<void> {
    const before = this.said;
    const system: Message[] = this.system.trim() ? [{ role: "system", content: this.system.trim() }] : [];
    const { context } = this.page.model;
    const most = context - Math.max(1, Math.min(this.settings.maxTokens, Math.floor(context / REPLY_SHARE)));
    const prompt = this.tokenizer.prompt(fitting(system, before, (some) => this.tokenizer.prompt(some).length, most));
    this.problem = prompt.length < context ? null : "tooLong";
    if (this.problem) return;
    [this.busy, this.stopped] = [true, false];
    const turn = ++this.turn;
    try {
      for await (const answer of this.steps(prompt)) {
        if (turn !== this.turn) return;
        this.said = [...before, answer];
      }
    } catch {
      this.problem = "broken";
    }
    if (turn === this.turn) this.busy = false;
  }

  /** The answer as it grows, token by token. */
  private async *steps(prompt: number[]): AsyncGenerator<Said> {
    const { stop, maxTokens, ...sampling } = $state.snapshot(this.settings);
    const steps: Step[] = [];
    const of = (more: boolean, cut?: Said["cut"]): Said => {
      const text = this.tokenizer.decode(steps.map((step) => step.id), more);
      const end = Math.min(...stop.map((mark) => text.indexOf(mark)).filter((at) => at >= 0), text.length);
      return { role: "assistant", content: text.slice(0, end), prompt, steps: [...steps], cut };
    };
    while (!this.stopped) {
      if (steps.length >= maxTokens || prompt.length + steps.length >= this.page.model.context) return yield of(false, "length");
      const step = await this.engine.call("next", [...prompt, ...steps.map((one) => one.id)], sampling);
      if (this.tokenizer.stops.has(step.id)) return yield of(false);
      steps.push(step);
      const text = this.tokenizer.decode(steps.map((one) => one.id), true);
      const ended = stop.some((mark) => text.includes(mark));
      yield of(!ended);
      if (ended) return;
    }
    yield of(false, "stopped");
  }
}

/** The conversation from the oldest turn on with which it has `most` tokens at most; the last question always stays. */
export function fitting(system: Message[], said: readonly Message[], tokens: (messages: Message[]) => number, most: number): Message[] {
  const turns = said.flatMap((one, at) => (one.role === "user" ? [at] : []));
  const whole = turns.map((at) => [...system, ...said.slice(at).map(({ role, content }) => ({ role, content }))]);
  return whole.find((some) => tokens(some) <= most) ?? whole.at(-1)!;
}
