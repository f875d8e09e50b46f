// What Python gives the page (gptwright/pipelines/run_page.py, gptwright/reporting/plain_report.py).
import type { ModelData } from "./engine/weights";
import type { Sampling } from "./engine/sampling";
import type { TokenizerData } from "./engine/tokenizer";

export interface Defaults extends Sampling {
  maxTokens: number;
  /** texts that end an answer and are no part of it */
  stop: string[];
}

export interface Curve {
  name: string;
  tone: string;
  line: [number, number][];
  /** drawn faintly behind a smooth line */
  raw: [number, number][];
  dots: boolean;
}

export interface Figure {
  title: string;
  unit: string;
  xName: string;
  digits: number;
  xs: [low: number, high: number];
  ys: [low: number, high: number];
  ticks: number[];
  curves: Curve[];
}

export interface Table {
  title: string;
  note: string;
  columns: string[];
  rows: { name: string; note: string; cells: { text: string; interval: string }[] }[];
}

export interface Report {
  run: string;
  headline: string;
  machine: string;
  facts: [name: string, value: string][];
  figures: Figure[];
  tables: Table[];
  asked: { stage: string; question: string; answer: string }[];
}

export interface PageData {
  name: string;
  about: string;
  model: ModelData;
  tokenizer: TokenizerData;
  sampling: Defaults;
  prompts: string[];
  report: Report | null;
  /** the script of the thread that computes */
  engine: string;
}

export const readPage = (): PageData => JSON.parse(document.getElementById("data")!.textContent!) as PageData;
