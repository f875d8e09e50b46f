// Attention as pictures: the weight of a pair of positions is how much of the accent colour stands there.
import type { Attention } from "./view";

type Colour = [number, number, number];

/** The accent colour of the page as it is shown now. */
const accent = (): Colour => (matchesDark() ? [0xed, 0xa0, 0x71] : [0x9c, 0x43, 0x18]);

const matchesDark = (): boolean =>
  (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

/** Draws a matrix in as many points as the canvas has; several pairs in one point show the largest weight. */
export function draw(canvas: HTMLCanvasElement, attention: Attention, matrix: number, size: number): void {
  canvas.width = canvas.height = size;
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(size, size);
  const [red, green, blue] = accent();
  const { data } = image;
  const scale = size / attention.tokens;
  attention.each(matrix, (row, column, weight) => {
    const at = 4 * (Math.floor(row * scale) * size + Math.floor(column * scale));
    const alpha = Math.round(255 * Math.sqrt(weight));
    if (alpha <= data[at + 3]!) return;
    data[at] = red; // one by one: a page draws millions of them, and makes no array for each
    data[at + 1] = green;
    data[at + 2] = blue;
    data[at + 3] = alpha;
  });
  context.putImageData(image, 0, 0);
}
