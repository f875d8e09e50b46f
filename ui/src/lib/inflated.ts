// Bytes that stand compressed in a page.

/** What Python wrote with zlib and base64. */
export async function inflated(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at++) bytes[at] = letters.charCodeAt(at); // a callback for each takes ten times as long
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
