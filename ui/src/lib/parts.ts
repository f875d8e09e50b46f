// What a message is made of: a text alone, or images and a text, as OpenAI writes them.

/** A text or an image of a message, in the order in which it was said. */
export interface Part {
  type: string;
  text?: string;
  image_url?: { url: string };
}

export type Content = string | Part[];

/** The images among parts, as the data: URIs that hold them. */
export const imagesOf = (parts: readonly Part[] | undefined): string[] =>
  (parts ?? []).map((part) => part.image_url?.url ?? "").filter((url) => url.startsWith("data:image/"));

/** Images, and behind them the text; the text alone where there are none. */
export const contentOf = (text: string, images: readonly string[]): Content =>
  images.length ? [...images.map((url) => ({ type: "image_url", image_url: { url } })), ...(text ? [{ type: "text", text }] : [])] : text;

/** What can be read of a content. */
export const textOf = (content: Content): string =>
  typeof content === "string" ? content : content.flatMap((part) => part.text ?? []).join("\n");
