// The model in a thread of its own, so that the page stays alive while it computes. One message, one answer.
import { Network } from "./network";
import { expect, read, type Reading } from "./reading";
import { drawn, type Sampling } from "./sampling";
import { Weights, type ModelData } from "./weights";
import type { Predicted } from "../../see/view";

/** A token of an answer, and what was expected in its place at temperature 1. */
export interface Step {
  id: number;
  probability: number;
  ids: number[];
  probabilities: number[];
  entropy: number;
}

let network: Network;
let held: number[] = []; // ids whose keys and values the network has

function advance(ids: readonly number[]): Float32Array {
  let same = 0;
  while (same < ids.length - 1 && same < held.length && ids[same] === held[same]) same++; // the last is always read
  for (let position = same; position < ids.length; position++) network.read(ids[position]!, position);
  held = [...ids];
  return network.logits();
}

const METHODS = {
  async open(data: ModelData): Promise<void> {
    network = new Network(data, await Weights.unpack(data));
  },

  /** The scores of all tokens to follow `ids`. */
  logits: (ids: number[]): Float32Array => advance(ids),

  next(ids: number[], sampling: Sampling): Step {
    const scores = advance(ids);
    const id = drawn(scores.slice(), sampling, ids, Math.random());
    const said: Predicted = { ids: [], probabilities: [], entropy: [], actual: [], rank: [] };
    expect(said, scores, id);
    return { id, probability: said.actual[0]!, ids: said.ids[0]!, probabilities: said.probabilities[0]!, entropy: said.entropy[0]! };
  },

  read(ids: number[]): Reading {
    held = [...ids];
    return read(network, ids);
  },
};

export type Methods = typeof METHODS;
export interface Call {
  number: number;
  method: keyof Methods;
  given: unknown[];
}

let before = Promise.resolve();
addEventListener("message", ({ data }: MessageEvent<Call>) => {
  before = before.then(async () => {
    const method = METHODS[data.method] as (...given: unknown[]) => unknown;
    try {
      postMessage({ number: data.number, result: await method(...data.given) });
    } catch (error) {
      postMessage({ number: data.number, error: String(error) });
    }
  });
});
