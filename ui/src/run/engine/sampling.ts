// Which token comes next: in the order of the Python engine, bias, penalty, temperature, top-k, top-p, min-p.

export interface Sampling {
  /** 0 always takes the likeliest */
  temperature: number;
  topK: number;
  topP: number;
  minP: number;
  repetitionPenalty: number;
  bias: Record<string, number>;
}

/** Draws an id by scores, which are changed. `met`: ids of prompt and answer; `random`: a number from 0 to below 1. */
export function drawn(scores: Float32Array, sampling: Sampling, met: readonly number[], random: number): number {
  for (const [id, bias] of Object.entries(sampling.bias)) scores[Number(id)]! += bias;
  if (sampling.repetitionPenalty !== 1)
    for (const id of new Set(met)) scores[id]! *= scores[id]! > 0 ? 1 / sampling.repetitionPenalty : sampling.repetitionPenalty;
  if (sampling.temperature === 0) return likeliest(scores, 1)[0]!;
  const weights = Float64Array.from(scores, (score) => score / sampling.temperature);
  const largest = weights.reduce((most, weight) => Math.max(most, weight), -Infinity);
  weights.forEach((weight, id) => (weights[id] = Math.exp(weight - largest)));
  const order = kept(weights, sampling);
  let left = random * order.reduce((sum, id) => sum + weights[id]!, 0);
  return order.find((id) => (left -= weights[id]!) < 0) ?? order.at(-1)!;
}

/** The ids that may be drawn. Of equally likely ones all stay, or none. */
function kept(weights: Float64Array, { topK, topP, minP }: Sampling): number[] {
  const all = Array.from({ length: weights.length }, (_, id) => id);
  if (!topK && topP >= 1 && !minP) return all;
  let order = all.sort((a, b) => weights[b]! - weights[a]! || a - b);
  const cut = (floor: number) => (order = order.filter((id) => weights[id]! >= floor));
  if (topK) cut(weights[order[Math.min(topK, order.length) - 1]!]!);
  if (topP < 1) {
    const enough = topP * order.reduce((sum, id) => sum + weights[id]!, 0);
    let before = 0;
    const last = order.find((id) => (before += weights[id]!) >= enough);
    cut(weights[last ?? order.at(-1)!]!);
  }
  if (minP) cut(minP * weights[order[0]!]!);
  return order;
}

/** The ids with the largest values, the largest first; of equal ones the first. */
export function likeliest(values: ArrayLike<number>, count: number): number[] {
  const best: number[] = [];
  for (let id = 0; id < values.length; id++) {
    if (best.length === count && values[id]! <= values[best.at(-1)!]!) continue;
    const place = best.findIndex((other) => values[id]! > values[other]!);
    best.splice(place < 0 ? best.length : place, 0, id);
    if (best.length > count) best.pop();
  }
  return best;
}
