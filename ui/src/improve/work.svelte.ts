// Jobs as the page follows them: the latest, and what came of the last improvement.
import * as api from "../lib/api";
import { loadSession } from "../lib/session.svelte";
import { isOpen, outcomeOf, teaching, type Teaching } from "./teaching";

const LOOK_EVERY = 1000; // milliseconds while a job is open

export class Work {
  told = $state.raw<Teaching | null>(null);
  jobs = $state.raw<api.Job[]>([]);
  /** The last improvement that came to an end, with its samples. */
  last = $state.raw<api.Job | null>(null);
  error = $state.raw<unknown>(null);
  now = $state(Date.now() / 1000);
  #timer = 0;

  /** Reads all of it; again while a job is open, until `leave`. */
  look = async (): Promise<void> => {
    clearTimeout(this.#timer);
    const open = this.open;
    try {
      [this.told, this.jobs] = await Promise.all([teaching(), api.jobs()]);
      const ended = this.jobs.find((job) => outcomeOf(job));
      if (ended?.id !== this.last?.id) this.last = ended ? await api.job(ended.id) : null;
      this.error = null;
      if (open && !this.open) void loadSession(); // another model may answer from now on
    } catch (error) {
      this.error = error;
    }
    this.now = Date.now() / 1000;
    if (this.open && !this.#left) this.#timer = window.setTimeout(this.look, LOOK_EVERY);
  };

  get open(): api.Job | null {
    return this.jobs.find(isOpen) ?? null;
  }

  /** The latest is no improvement that ended well: how it ended. */
  get failed(): api.Job | null {
    const latest = this.jobs[0];
    return latest && (latest.state === "failed" || latest.state === "cancelled") ? latest : null;
  }

  /** Whether the last improvement is in use and can be taken back. */
  get inUse(): boolean {
    const outcome = this.last && outcomeOf(this.last);
    const undone = this.jobs.some((job) => job.kind === "undo" && job.state === "done" && job.created > (this.last?.created ?? 0));
    return !!this.told?.may_undo && !!outcome?.promoted && !undone;
  }

  async ask(fields: Record<string, unknown>): Promise<void> {
    await this.#do(() => api.startJob(fields));
  }

  async cancel(): Promise<void> {
    const open = this.open;
    if (open) await this.#do(() => api.cancelJob(open.id));
  }

  async #do(request: () => Promise<unknown>): Promise<void> {
    try {
      await request();
      await this.look();
    } catch (error) {
      this.error = error;
    }
  }

  #left = false;
  leave = (): void => {
    this.#left = true;
    clearTimeout(this.#timer);
  };
}
