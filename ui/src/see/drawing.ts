// Attention as pictures: the weight of a pair of positions is how much of the accent colour stands there.
import type { Attention } from "./view";

/** The accent colour on a light page, as a canvas keeps it; on a dark one a filter makes it lighter. */
const ACCENT = 0x18439c;
/** By weight in 255ths, the points as they lie in memory: alpha, blue, green, red. */
const POINTS = Uint32Array.from({ length: 256 }, (_, weight) => ((Math.round(Math.sqrt(weight * 255)) << 24) | ACCENT) >>> 0);

/** Draws a matrix in as many points as the canvas has; several pairs in one point show the largest weight. */
export function draw(canvas: HTMLCanvasElement, attention: Attention, matrix: number, size: number): void {
  canvas.width = canvas.height = size;
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(size, size);
  const points = new Uint32Array(image.data.buffer);
  attention.largest(matrix, size).forEach((weight, at) => weight && (points[at] = POINTS[weight]!));
  context.putImageData(image, 0, 0);
}
