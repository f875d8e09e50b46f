// Attention as pictures: the weight of a pair of positions is how much of the accent colour stands there.
import type { Attention } from "./view";

type Colour = [number, number, number];

/** The accent colour of the page as it is shown now. */
export function accent(): Colour {
  const probe = document.createElement("canvas").getContext("2d")!;
  probe.fillStyle = matchesDark() ? "#eda071" : "#9c4318";
  probe.fillRect(0, 0, 1, 1);
  const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data;
  return [red!, green!, blue!];
}

const matchesDark = (): boolean =>
  (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

/** Draws a matrix in as many points as the canvas has; several pairs in one point show the largest weight. */
export function draw(canvas: HTMLCanvasElement, attention: Attention, matrix: number, size: number): void {
  canvas.width = canvas.height = size;
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(size, size);
  const [red, green, blue] = accent();
  const scale = size / attention.tokens;
  attention.each(matrix, (row, column, weight) => {
    const at = 4 * (Math.floor(row * scale) * size + Math.floor(column * scale));
    const alpha = Math.round(255 * Math.sqrt(weight));
    if (alpha <= image.data[at + 3]!) return;
    image.data.set([red, green, blue, alpha], at);
  });
  context.putImageData(image, 0, 0);
}
