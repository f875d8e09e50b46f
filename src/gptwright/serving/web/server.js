// What the page asks of its server. Failures are `ServerError`s with OpenAI's `code`.

export class ServerError extends Error {
  constructor(message, status, code) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const headers = (key) => ({ "content-type": "application/json", ...(key ? { authorization: `Bearer ${key}` } : {}) });

async function ask(path, key, options = {}) {
  const answer = await fetch(path, { ...options, headers: headers(key) });
  if (answer.ok) return answer;
  const { error } = await answer.json().catch(() => ({ error: { message: answer.statusText } }));
  throw new ServerError(error.message, answer.status, error.code);
}

export const models = async (key) => (await (await ask("/v1/models", key)).json()).data;
export const examples = async (key) => (await ask("/examples", key)).json();
export const rate = (key, body) => ask("/feedback", key, { method: "POST", body: JSON.stringify(body) });

// Yields { dropped }, how many of the oldest messages the model is not shown because they no longer fit, and then
// { text, finish, usage } as they come; `signal` stops the model within a token.
export async function* chat(key, body, signal) {
  const request = { ...body, truncation: "auto", stream: true, stream_options: { include_usage: true } };
  const answer = await ask("/v1/chat/completions", key, { method: "POST", body: JSON.stringify(request), signal });
  yield { dropped: Number(answer.headers.get("x-dropped-messages") ?? 0) };
  for await (const data of events(answer.body)) {
    if (data === "[DONE]") return;
    const event = JSON.parse(data);
    if (event.error) throw new ServerError(event.error.message, 500, event.error.code);
    const choice = event.choices[0];
    yield { text: choice?.delta.content ?? "", finish: choice?.finish_reason, usage: event.usage };
  }
  throw new ServerError("the answer broke off", 500, "broken_off");
}

// The data of each server-sent event.
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const parts = (rest + value).split("\n\n");
      rest = parts.pop();
      for (const part of parts) if (part.startsWith("data: ")) yield part.slice(6);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
