// The few operations that a decoder is made of, on one token's numbers at a time.
import type { Matrix } from "./weights";

/** Matrix · x + bias, into `out`. */
export function multiply({ rows, columns, steps, scales, bias }: Matrix, x: Float32Array, out: Float32Array): void {
  const whole = columns - (columns % 4);
  for (let row = 0, at = 0; row < rows; row++) {
    let a = 0, b = 0, c = 0, d = 0, i = 0; // four sums side by side: none waits for the other
    for (; i < whole; i += 4, at += 4) {
      a += steps[at]! * x[i]!;
      b += steps[at + 1]! * x[i + 1]!;
      c += steps[at + 2]! * x[i + 2]!;
      d += steps[at + 3]! * x[i + 3]!;
    }
    for (; i < columns; i++, at++) a += steps[at]! * x[i]!;
    out[row] = (a + b + c + d) * scales[row]! + (bias ? bias[row]! : 0);
  }
}

/** Adds a row of the matrix to x. */
export function addRow({ columns, steps, scales }: Matrix, row: number, x: Float32Array): void {
  for (let i = 0; i < columns; i++) x[i]! += steps[row * columns + i]! * scales[row]!;
}

export function add(x: Float32Array, more: Float32Array): void {
  for (let i = 0; i < x.length; i++) x[i]! += more[i]!;
}

export interface Norm {
  centred: boolean;
  epsilon: number;
  gain?: Float32Array;
  bias?: Float32Array;
}

/** x by its mean (where it is `centred`) and its root mean square, into `out`, which may be x. */
export function normalise({ centred, epsilon, gain, bias }: Norm, x: Float32Array, out: Float32Array): void {
  let mean = 0, squares = 0;
  if (centred) for (let i = 0; i < x.length; i++) mean += x[i]! / x.length;
  for (let i = 0; i < x.length; i++) squares += (x[i]! - mean) ** 2;
  const scale = 1 / Math.sqrt(squares / x.length + epsilon);
  for (let i = 0; i < x.length; i++) out[i] = (x[i]! - mean) * scale * (gain ? gain[i]! : 1) + (bias ? bias[i]! : 0);
}

/** Turns each pair (x[i], x[i + half]) by its angle. */
export function turn(x: Float32Array, cos: Float32Array, sin: Float32Array): void {
  const half = cos.length;
  for (let i = 0; i < half; i++) {
    const left = x[i]!, right = x[i + half]!;
    x[i] = left * cos[i]! - right * sin[i]!;
    x[i + half] = right * cos[i]! + left * sin[i]!;
  }
}

export function softmax(x: Float32Array): void {
  let largest = -Infinity, sum = 0;
  for (let i = 0; i < x.length; i++) if (x[i]! > largest) largest = x[i]!;
  for (let i = 0; i < x.length; i++) sum += x[i] = Math.exp(x[i]! - largest);
  for (let i = 0; i < x.length; i++) x[i]! /= sum;
}

const SLOPE = Math.sqrt(2 / Math.PI);

export const ACTIVATIONS = {
  gelu: (x: number) => 0.5 * x * (1 + Math.tanh(SLOPE * (x + 0.044715 * x * x * x))),
  squared_relu: (x: number) => (x > 0 ? x * x : 0),
  silu: (x: number) => x / (1 + Math.exp(-x)),
};
