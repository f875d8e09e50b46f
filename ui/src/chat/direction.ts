// Marks that reorder letters so that a text reads otherwise than it is.

/** Whether there are any: embeddings, overrides, isolates. */
export const changesDirection = (text: string): boolean => /[\u202a-\u202e\u2066-\u2069]/.test(text);
