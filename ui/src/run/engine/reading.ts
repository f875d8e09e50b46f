// A whole text read for the views: what every head looks at, and what was expected at every place.
import type { Predicted } from "../../see/view";
import { softmax } from "./arithmetic";
import type { Network } from "./network";
import { likeliest } from "./sampling";

const TOP = 5;

export interface Reading {
  said: Predicted;
  /** of all heads' matrices and rollout, row after row: how many weights a row has, their columns, in 255ths how large */
  counts: Uint16Array;
  columns: Uint16Array;
  weights: Uint8Array;
}

export function read(network: Network, ids: readonly number[]): Reading {
  const { layers, heads } = network.data;
  const tokens = ids.length;
  const matrices = Array.from({ length: layers * heads }, () => new Uint8Array(tokens * tokens));
  const means = Array.from({ length: layers }, () => new Float32Array(tokens * tokens));
  const said: Predicted = { ids: [], probabilities: [], entropy: [], actual: [], rank: [] };
  for (const [position, id] of ids.entries()) {
    const row = position * tokens;
    network.read(id, position, (layer, head, weights) =>
      weights.forEach((weight, other) => {
        matrices[layer * heads + head]![row + other] = Math.round(255 * weight);
        means[layer]![row + other]! += weight / heads;
      }),
    );
    expect(said, network.logits(), ids[position + 1]);
  }
  const last = rollout(means, tokens).map((weight) => Math.round(255 * weight));
  return { said, ...sparse([...matrices, Uint8Array.from(last)], tokens) };
}

/** Notes what is expected to come next; `scores` become probabilities. */
export function expect(said: Predicted, scores: Float32Array, actual?: number): void {
  softmax(scores);
  const best = likeliest(scores, TOP);
  said.ids.push(best);
  said.probabilities.push(best.map((id) => scores[id]!));
  said.entropy.push(-scores.reduce((sum, share) => sum + (share > 0 ? share * Math.log(share) : 0), 0));
  const own = actual === undefined ? null : scores[actual]!;
  said.actual.push(own);
  said.rank.push(own === null ? -1 : scores.reduce((count, share) => count + Number(share > own), 0));
}

/** Attention of all layers one after another, mixed in halves with what goes around it (Abnar & Zuidema 2020). */
function rollout(layers: Float32Array[], tokens: number): Float32Array {
  let mixed = new Float32Array(tokens * tokens);
  for (let i = 0; i < tokens; i++) mixed[i * tokens + i] = 1;
  for (const layer of layers) {
    const next = mixed.map((share) => share / 2);
    for (let row = 0; row < tokens; row++)
      for (let via = 0; via <= row; via++) {
        const share = layer[row * tokens + via]! / 2;
        if (share) for (let column = 0; column <= via; column++) next[row * tokens + column]! += share * mixed[via * tokens + column]!;
      }
    mixed = next;
  }
  return mixed;
}

function sparse(matrices: Uint8Array[], tokens: number): Pick<Reading, "counts" | "columns" | "weights"> {
  const counts = new Uint16Array(matrices.length * tokens);
  const places = matrices.map((matrix) => matrix.reduce((sum, weight) => sum + Number(weight > 0), 0));
  const total = places.reduce((sum, count) => sum + count, 0);
  const [columns, weights] = [new Uint16Array(total), new Uint8Array(total)];
  let at = 0;
  for (const [number, matrix] of matrices.entries())
    for (let place = 0; place < matrix.length; place++) {
      if (!matrix[place]) continue;
      counts[number * tokens + Math.floor(place / tokens)]!++;
      columns[at] = place % tokens;
      weights[at++] = matrix[place]!;
    }
  return { counts, columns, weights };
}
