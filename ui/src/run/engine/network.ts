// A decoder that reads one token after another, and keeps keys and values of those that it has read.
import { ACTIVATIONS, add, addRow, multiply, normalise, softmax, turn, type Norm } from "./arithmetic";
import type { Mask, Matrix, ModelData, Weights } from "./weights";

/** Is shown the attention weights of one head: those of the tokens up to the one that is read. */
export type Onlooker = (layer: number, head: number, weights: Float32Array) => void;

interface Block {
  norm1: Norm;
  norm2: Norm;
  queryNorm?: Norm;
  keyNorm?: Norm;
  query: Matrix;
  key: Matrix;
  value: Matrix;
  out: Matrix;
  gate?: Matrix;
  up: Matrix;
  down: Matrix;
  mask: Mask;
  keys: Float32Array;
  values: Float32Array;
}

const SEES: Record<Mask["kind"], (back: number, reach: number) => boolean> = {
  causal: () => true,
  banded: (back, reach) => back < reach,
  strided: (back, reach) => back < reach || back % reach === 0,
};

export class Network {
  private readonly blocks: Block[];
  private readonly embed: Matrix;
  private readonly positions?: Matrix;
  private readonly output: Matrix;
  private readonly finalNorm?: Norm;
  private readonly x: Float32Array;
  private readonly normed: Float32Array;
  private readonly queries: Float32Array;

  constructor(
    readonly data: ModelData,
    private readonly weights: Weights,
  ) {
    this.embed = weights.matrix("embed");
    this.positions = data.rates ? undefined : weights.matrix("positions");
    this.output = weights.matrix(data.output);
    this.finalNorm = this.normAt("norm");
    this.blocks = Array.from({ length: data.layers }, (_, layer) => this.block(layer));
    this.x = new Float32Array(data.width);
    this.normed = new Float32Array(data.width);
    this.queries = new Float32Array(data.heads * data.headWidth);
  }

  /** Reads an id that stands at `position`; what stands before it must have been read. */
  read(id: number, position: number, look?: Onlooker): void {
    const { x, data } = this;
    x.fill(0);
    addRow(this.embed, id, x);
    if (this.positions) addRow(this.positions, position, x);
    if (data.normsInput) normalise(this.finalNorm!, x, x);
    for (const [layer, block] of this.blocks.entries()) {
      const see = look && ((head: number, weights: Float32Array) => look(layer, head, weights));
      this.branch(block.norm1, (from) => this.attention(block, from, position, see));
      this.branch(block.norm2, (from) => this.feedForward(block, from));
    }
  }

  /** The scores of every token to come next. */
  logits(): Float32Array {
    if (this.finalNorm) normalise(this.finalNorm, this.x, this.normed);
    else this.normed.set(this.x);
    const scores = new Float32Array(this.output.rows);
    multiply(this.output, this.normed, scores);
    return scores;
  }

  private branch(norm: Norm, added: (from: Float32Array) => Float32Array): void {
    if (this.data.norm === "before") {
      normalise(norm, this.x, this.normed);
      add(this.x, added(this.normed));
    } else {
      add(this.x, added(this.x));
      normalise(norm, this.x, this.x);
    }
  }

  private attention(block: Block, from: Float32Array, position: number, look?: (head: number, weights: Float32Array) => void): Float32Array {
    const { heads, kvHeads, headWidth, width } = this.data;
    const at = position * kvHeads * headWidth;
    const key = block.keys.subarray(at, at + kvHeads * headWidth);
    multiply(block.query, from, this.queries);
    multiply(block.key, from, key);
    multiply(block.value, from, block.values.subarray(at, at + kvHeads * headWidth));
    this.place(this.queries, heads, position, block.queryNorm);
    this.place(key, kvHeads, position, block.keyNorm);
    const mixed = new Float32Array(heads * headWidth);
    for (let head = 0; head < heads; head++) {
      const weights = this.looked(block, head, position);
      look?.(head, weights);
      this.taken(block, head, weights, mixed.subarray(head * headWidth, (head + 1) * headWidth));
    }
    const out = new Float32Array(width);
    multiply(block.out, mixed, out);
    return out;
  }

  /** Queries or keys: normed and turned by their position, where the family does so. */
  private place(vectors: Float32Array, heads: number, position: number, norm?: Norm): void {
    const { headWidth, rates } = this.data;
    const angles = rates?.map((rate) => Math.fround(position * Math.fround(rate)));
    const [cos, sin] = [Float32Array.from(angles ?? [], Math.cos), Float32Array.from(angles ?? [], Math.sin)];
    for (let head = 0; head < heads; head++) {
      const vector = vectors.subarray(head * headWidth, (head + 1) * headWidth);
      if (norm) normalise(norm, vector, vector);
      if (rates) turn(vector, cos, sin);
    }
  }

  /** How much a head takes from each token up to `position`: heads share keys in groups. */
  private looked(block: Block, head: number, position: number): Float32Array {
    const { heads, kvHeads, headWidth } = this.data;
    const begin = Math.floor((head * kvHeads) / heads) * headWidth;
    const scale = headWidth ** -0.5;
    const [sees, reach] = [SEES[block.mask.kind], "reach" in block.mask ? block.mask.reach : 0];
    const scores = new Float32Array(position + 1);
    for (let other = 0; other <= position; other++) {
      if (!sees(position - other, reach)) {
        scores[other] = -Infinity;
        continue;
      }
      const at = other * kvHeads * headWidth + begin;
      let sum = 0;
      for (let i = 0; i < headWidth; i++) sum += this.queries[head * headWidth + i]! * block.keys[at + i]!;
      scores[other] = sum * scale;
    }
    softmax(scores);
    return scores;
  }

  private taken(block: Block, head: number, weights: Float32Array, out: Float32Array): void {
    const { heads, kvHeads, headWidth } = this.data;
    const begin = Math.floor((head * kvHeads) / heads) * headWidth;
    for (let other = 0; other < weights.length; other++) {
      const [weight, at] = [weights[other]!, other * kvHeads * headWidth + begin];
      if (weight) for (let i = 0; i < headWidth; i++) out[i]! += weight * block.values[at + i]!;
    }
  }

  private feedForward(block: Block, from: Float32Array): Float32Array {
    const bent = ACTIVATIONS[this.data.activation];
    const hidden = new Float32Array(block.up.rows);
    const gate = new Float32Array(block.gate ? block.up.rows : 0);
    const out = new Float32Array(this.data.width);
    multiply(block.up, from, hidden);
    if (block.gate) multiply(block.gate, from, gate);
    for (let i = 0; i < hidden.length; i++) hidden[i] = block.gate ? bent(gate[i]!) * hidden[i]! : bent(hidden[i]!);
    multiply(block.down, hidden, out);
    return out;
  }

  private normAt(name: string): Norm | undefined {
    const kind = this.data.norms[name];
    return kind && { ...kind, gain: this.weights.vector(`${name}.weight`), bias: this.weights.vector(`${name}.bias`) };
  }

  private block(layer: number): Block {
    const { context, kvHeads, headWidth, masks } = this.data;
    const at = (name: string) => `blocks.${layer}.${name}`;
    const matrix = (name: string) => this.weights.matrix(at(name));
    return {
      norm1: this.normAt(at("norm1"))!,
      norm2: this.normAt(at("norm2"))!,
      queryNorm: this.normAt(at("attention.query_norm")),
      keyNorm: this.normAt(at("attention.key_norm")),
      query: matrix("attention.query"),
      key: matrix("attention.key"),
      value: matrix("attention.value"),
      out: matrix("attention.out"),
      gate: matrix("mlp.gate"),
      up: matrix("mlp.up"),
      down: matrix("mlp.down"),
      mask: masks[layer]!,
      keys: new Float32Array(context * kvHeads * headWidth),
      values: new Float32Array(context * kvHeads * headWidth),
    };
  }
}
