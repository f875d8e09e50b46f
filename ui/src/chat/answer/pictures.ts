// Pictures as a message holds them: a model sees a few hundred pixels a side, so what is larger is drawn smaller here.

const KNOWN = /^image\/(png|jpeg|gif|webp|bmp)$/; // what the server decodes
const SIDE = 1024; // pixels
const SMALL = 60_000; // bytes: sixteen of them fit into one request
const QUALITIES = [0.9, 0.75, 0.5];

/** A drawing program (SVG) is a text. */
export const isPicture = (file: File): boolean => file.type.startsWith("image/") && file.type !== "image/svg+xml";

/** A smaller JPEG on white, as a data: URI; undefined where the file can go as it is. */
export function drawnSmaller(file: File, bitmap: ImageBitmap): string | undefined {
  const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  if (KNOWN.test(file.type) && scale === 1 && file.size <= SMALL) return undefined;
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil(bitmap.width * scale);
  canvas.height = Math.ceil(bitmap.height * scale);
  const pen = canvas.getContext("2d")!;
  pen.fillStyle = "white";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  let uri = "";
  for (const quality of QUALITIES) {
    uri = canvas.toDataURL("image/jpeg", quality);
    if (uri.length * 0.75 <= SMALL) break;
  }
  return uri;
}

/** The file itself, as a data: URI. */
export const uriOf = (file: File): Promise<string> =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error ?? new Error(file.name));
    reader.readAsDataURL(file);
  });
