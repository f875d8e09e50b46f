// What Python gives the page (gptwright/interpretability/inside.py), and the attention weights unpacked.
import { inflated } from "../lib/inflated";
import { visible } from "../lib/visible";

export interface Predicted {
  ids: number[][];
  probabilities: number[][];
  entropy: (number | null)[];
  actual: (number | null)[];
  rank: number[];
}

export interface ShapedLine {
  file: string;
  number: number;
  code: string;
  shape: number[];
  dtype: string;
  depth: number;
}

export type Scores = Record<"previous" | "first" | "induction" | "ablation", number[][] | undefined>;

/** A layer of an encoder, of texts or of images, a decoder's own, and where a decoder's looks at the encoder's output. */
export type Part = "encoder" | "image" | "decoder" | "source";

/** What the encoder saw, and where its first patch stands among the tokens; the others follow, row by row. */
export interface Picture {
  first: number;
  uri: string;
}

export interface View {
  model: string;
  about: string;
  tokens: number[];
  texts: Record<number, string>;
  reads: "left to right" | "both sides";
  layers: number;
  heads: number[];
  /** What each layer is, of models that are several. */
  parts?: Part[];
  /** Those in the text, and how many patches each has on a side. */
  images?: { side: number; pictures: Picture[] };
  attention: { counts: string; columns: string; weights: string; shown: number };
  lens: Predicted[];
  said: Predicted;
  scores?: Scores;
  shapes?: ShapedLine[];
  stages?: (Predicted & { name: string })[];
  neighbours: Record<number, { ids: number[]; cosines: number[] }>;
  note: string;
}

/** What the view of attention needs of it. */
export type Shown = Pick<View, "tokens" | "texts" | "images" | "heads" | "parts"> & { attention: { shown: number } };

/** The view that stands in the page. */
export const readView = (): View => JSON.parse(document.getElementById("data")!.textContent!) as View;

/** Attention of every head, and rollout as the last matrix: rows of (column, weight in 255ths). */
export class Attention {
  private readonly starts: Uint32Array;

  constructor(
    readonly tokens: number,
    counts: Uint8Array | Uint16Array,
    private readonly columns: Uint16Array,
    private readonly weights: Uint8Array,
  ) {
    this.starts = new Uint32Array(counts.length + 1);
    counts.forEach((count, row) => (this.starts[row + 1] = this.starts[row]! + count));
  }

  static async unpack(view: View): Promise<Attention> {
    const [counts, columns, weights] = await Promise.all(
      [view.attention.counts, view.attention.columns, view.attention.weights].map(inflated),
    );
    return new Attention(view.tokens.length, counts!, new Uint16Array(columns!.buffer), weights!);
  }

  /** Calls `see` with every weight from 0 to 1 of a matrix's row. */
  row(matrix: number, row: number, see: (column: number, weight: number) => void): void {
    const at = matrix * this.tokens + row;
    for (let i = this.starts[at]!; i < this.starts[at + 1]!; i++) see(this.columns[i]!, this.weights[i]! / 255);
  }

  /** The largest weight, in 255ths, in each of `size` × `size` equal parts of a matrix. */
  largest(matrix: number, size: number): Uint8Array {
    const found = new Uint8Array(size * size);
    const part = Uint16Array.from({ length: this.tokens }, (_, at) => Math.floor((at * size) / this.tokens));
    for (let row = 0; row < this.tokens; row++) {
      const at = matrix * this.tokens + row;
      const begin = part[row]! * size;
      for (let i = this.starts[at]!; i < this.starts[at + 1]!; i++) {
        const place = begin + part[this.columns[i]!]!;
        if (this.weights[i]! > found[place]!) found[place] = this.weights[i]!;
      }
    }
    return found;
  }

  /** How much a position takes from each, or, with `from`, how much each takes from it. */
  of(matrix: number, position: number, from = false): Float32Array {
    const found = new Float32Array(this.tokens);
    if (from) {
      for (let row = 0; row < this.tokens; row++) this.row(matrix, row, (column, weight) => column === position && (found[row] = weight));
    } else this.row(matrix, position, (column, weight) => (found[column] = weight));
    return found;
  }
}

/** The patch of a picture that stands at a place of the text, counted from 1, if one does. */
export function patchAt(view: Pick<View, "images">, at: number): { picture: number; row: number; column: number } | null {
  const { side, pictures } = view.images ?? { side: 0, pictures: [] };
  const number = pictures.findIndex(({ first }) => at >= first && at < first + side * side);
  if (number < 0) return null;
  const patch = at - pictures[number]!.first;
  return { picture: number + 1, row: Math.floor(patch / side) + 1, column: (patch % side) + 1 };
}

/** What stands at a place, in a few letters: a token, or a patch by picture, row and column. */
export function textAt(view: Pick<View, "tokens" | "texts" | "images">, at: number): string {
  const patch = patchAt(view, at);
  return patch ? `▦${patch.picture}:${patch.row},${patch.column}` : visible(view.texts[view.tokens[at]!] ?? "");
}

/** The first layer that reads the text itself, behind those that read images or a source. */
export const firstDecoder = (view: Pick<View, "parts">): number => Math.max(0, view.parts?.indexOf("decoder") ?? 0);

/** The number of a head's matrix. */
export const matrixOf = (view: Shown, layer: number, head: number): number =>
  view.heads.slice(0, layer).reduce((sum, heads) => sum + heads, head);

export const rolloutOf = (view: Shown): number => view.heads.reduce((sum, heads) => sum + heads, 0);

export const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
