// How answers are drawn: what a person typed, kept as it was typed; what is wrong is said and does not reach the model.
import { keep, readKept } from "../lib/kept";
import { writers } from "../lib/session.svelte";
import type { Model } from "../lib/api";
import { words } from "./words";

export const NUMBERS = ["temperature", "top_p", "top_k", "max_tokens", "seed"] as const;
export type NumberName = (typeof NUMBERS)[number];
export interface Limits {
  low: number;
  high: number;
  step: number;
  whole: boolean;
}

const EMPTY = { model: "", system: "", temperature: "", top_p: "", top_k: "", max_tokens: "", seed: "" };
export type Settings = typeof EMPTY;

function remembered(): Settings {
  try {
    const kept = JSON.parse(readKept("settings") || "{}") as Record<string, unknown>;
    const known = Object.entries(kept).filter(([name, value]) => name in EMPTY && typeof value === "string");
    return { ...EMPTY, ...Object.fromEntries(known) };
  } catch {
    return { ...EMPTY }; // another version of the page, or a hand, wrote this
  }
}

const state = $state(remembered());

export const settings = (): Readonly<Settings> => state;

export function change(fields: Partial<Settings>): void {
  Object.assign(state, fields);
  keep("settings", JSON.stringify(state));
}

/** Everything as the model has it, but which model. */
export const reset = (): void => change({ ...EMPTY, model: state.model });

/** The chosen model, or the one that answers whoever names none. */
export const chosenModel = (): Model | undefined => writers().find((one) => one.id === state.model) ?? writers()[0];

export const limits = (name: NumberName): Limits =>
  ({
    temperature: { low: 0, high: 2, step: 0.05, whole: false },
    top_p: { low: 0, high: 1, step: 0.05, whole: false },
    top_k: { low: 0, high: 1000, step: 1, whole: true },
    max_tokens: { low: 1, high: chosenModel()?.max_model_len ?? 1 << 20, step: 1, whole: true },
    seed: { low: 0, high: Number.MAX_SAFE_INTEGER, step: 1, whole: true },
  })[name];

/** What is wrong with what was typed; "" is fine. */
export function fault(name: NumberName): string {
  const { low, high, whole } = limits(name);
  const text = state[name].trim();
  const value = Number(text);
  if (text === "" || (Number.isFinite(value) && value >= low && value <= high && (!whole || Number.isInteger(value)))) return "";
  return whole ? words().whole(String(low), String(high)) : words().range(String(low), String(high));
}

/** What a request says of how it is drawn. */
export function sampling(): Record<string, unknown> {
  const given = NUMBERS.filter((name) => state[name].trim() !== "" && !fault(name));
  const model = writers().find((one) => one.id === state.model);
  return { ...(model && { model: model.id }), ...Object.fromEntries(given.map((name) => [name, Number(state[name])])) };
}
