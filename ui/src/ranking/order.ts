// An order with ties: who stands where, and who ties with the one above.

export interface Place {
  at: number; // which of the answers, from 0
  tied: boolean; // with the one above
}

/** The order that `ranks` say, or the given one; equal ranks tie. */
export function placed(count: number, ranks?: readonly number[]): Place[] {
  const rank = (at: number): number => ranks?.[at] ?? at + 1;
  const order = Array.from({ length: count }, (_, at) => at).sort((one, other) => rank(one) - rank(other) || one - other);
  return order.map((at, row) => ({ at, tied: row > 0 && rank(order[row - 1]!) === rank(at) }));
}

/** Of each answer, from 1; a tie takes one number: 1, 2, 2, 3. */
export function ranksOf(order: readonly Place[]): number[] {
  const ranks: number[] = [];
  let rank = 0;
  for (const { at, tied } of order) ranks[at] = tied ? rank : ++rank;
  return ranks;
}

/** One is moved to another row. Those it tied with stay tied; among those that tie, it ties. */
export function moved(order: readonly Place[], from: number, to: number): Place[] {
  const rest = order.map((place) => ({ ...place }));
  const [one] = rest.splice(from, 1);
  const below = rest[from];
  if (!one) return rest;
  if (below && !one.tied) below.tied = false;
  one.tied = rest[to]?.tied ?? false;
  rest.splice(to, 0, one);
  return rest;
}

/** One ties with the one above, or no longer does. */
export const tiedAt = (order: readonly Place[], row: number): Place[] =>
  order.map((place, at) => (at === row && row > 0 ? { ...place, tied: !place.tied } : place));
