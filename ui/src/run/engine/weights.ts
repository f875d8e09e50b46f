// A model as it stands in the page (gptwright/models/formats/page_model.py), and its numbers unpacked.
import { inflated } from "../../lib/inflated";

export interface ModelData {
  family: string;
  layers: number;
  context: number;
  width: number;
  heads: number;
  kvHeads: number;
  headWidth: number;
  /** radians that each pair of a head turns with every token; without, positions have vectors */
  rates: number[] | null;
  /** where norms stand: before each branch, or after each sum */
  norm: "before" | "after";
  normsInput: boolean;
  activation: "gelu" | "squared_relu" | "silu";
  masks: Mask[];
  /** the matrix that scores tokens */
  output: string;
  norms: Record<string, { centred: boolean; epsilon: number }>;
  matrices: Record<string, [rows: number, columns: number]>;
  vectors: Record<string, number>;
  numbers: string;
}

export type Mask = { kind: "causal" } | { kind: "banded" | "strided"; reach: number };

/** `steps` · `scales`, row by row. */
export interface Matrix {
  rows: number;
  columns: number;
  steps: Int8Array;
  scales: Float32Array;
  bias?: Float32Array;
}

export class Weights {
  private readonly matrices = new Map<string, Matrix>();
  private readonly vectors = new Map<string, Float32Array>();

  private constructor(data: ModelData, bytes: ArrayBuffer) {
    let at = 0;
    const floats = (count: number) => new Float32Array(bytes, (at += 4 * count) - 4 * count, count);
    for (const [name, length] of Object.entries(data.vectors)) this.vectors.set(name, floats(length));
    const scales = Object.values(data.matrices).map(([rows]) => floats(rows));
    for (const [index, [name, [rows, columns]]] of Object.entries(data.matrices).entries()) {
      const steps = new Int8Array(bytes, at, rows * columns);
      at += rows * columns;
      this.matrices.set(name, { rows, columns, steps, scales: scales[index]!, bias: this.vectors.get(`${name}.bias`) });
    }
  }

  static async unpack(data: ModelData): Promise<Weights> {
    return new Weights(data, (await inflated(data.numbers)).buffer);
  }

  matrix(name: string): Matrix {
    return this.matrices.get(name)!;
  }

  vector(name: string): Float32Array | undefined {
    return this.vectors.get(name);
  }
}
