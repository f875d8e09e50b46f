// What the server tells about teaching: labels that wait, questions to ask, jobs and what came of them.
import type { Job } from "../lib/api";
import { ask } from "../lib/server";

export interface Teaching {
  labels: { ranking: number; preference: number; edit: number; demonstration: number; thumb: number };
  /** Labels that were said since the last improvement. */
  new: number;
  /** Rankings that an improvement needs. */
  least: number;
  improves: boolean;
  may_undo: boolean;
  /** One's own questions, the latest first. */
  asked: string[];
  /** The run's own. */
  prompts: string[];
}

/** Answers of both models to one prompt; `new` is the place of the new model's. */
export interface Sample {
  messages: { role: string; content: string }[];
  answers: [string, string];
  new: 0 | 1;
}

export interface Outcome {
  promoted: boolean;
  folder: string;
  before: string;
  method: string;
  measure: "wins" | "pairs" | "reward_pairs";
  share: number;
  low: number;
  high: number;
  count: number;
  /** Share of the run's questions that are answered rightly, before and after; empty where it has none. */
  right?: number[];
  heldout_nats_rise?: number;
  against: ("chance" | "questions" | "text")[];
  samples: Sample[];
}

export const teaching = () => ask<Teaching>("GET", "/api/teaching");

/** How many examples there are to learn from, each kind as improve counts it: roughly, for some may be of one prompt. */
export const examplesOf = ({ labels }: Teaching): number => Object.values(labels).reduce((sum, count) => sum + count, 0);

export const isOpen = (job: Job): boolean => job.state === "waiting" || job.state === "running";

/** What came of an improvement; null of another job, or of one that came to no end. */
export function outcomeOf(job: Job): Outcome | null {
  const outcome = job.result?.outcome as Partial<Outcome> | undefined;
  return outcome?.folder === undefined ? null : ({ samples: [], ...outcome } as Outcome);
}

/** Wilson's interval (95 %) of a share of `count`. */
export function interval(share: number, count: number): [number, number] {
  const z = 1.959964;
  const middle = share + (z * z) / (2 * count);
  const half = z * Math.sqrt((share * (1 - share)) / count + (z * z) / (4 * count * count));
  const all = 1 + (z * z) / count;
  return [Math.max(0, (middle - half) / all), Math.min(1, (middle + half) / all)];
}
