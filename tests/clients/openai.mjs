// OpenAI's client for JavaScript: node openai.mjs MODULES BASE prints what it found as JSON.
import { createRequire } from "node:module";

const [modules, baseURL] = process.argv.slice(2);
const { OpenAI } = createRequire(`${modules}/`)("openai");
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "How is the weather?" }];
const parameters = {
  type: "object", properties: { sunny: { type: "boolean" } }, required: ["sunny"], additionalProperties: false,
};
const tools = [{ type: "function", function: { name: "tell", parameters } }];

const models = (await client.models.list()).data.map((model) => model.id);
const forced = await client.chat.completions.create({ model: "tiny", messages, tools, tool_choice: "required" });
let streamed = "";
for await (const chunk of await client.chat.completions.create({ model: "tiny", messages, max_tokens: 8, stream: true }))
  streamed += chunk.choices[0]?.delta?.content ?? "";
const vectors = (await client.embeddings.create({ model: "tiny", input: ["a cat", "a dog"] })).data.length;
const refused = await client.chat.completions.create({ model: "tiny", messages, temperature: 9 })
  .catch((error) => [error.status, error.param]);
const call = forced.choices[0].message.tool_calls[0].function.arguments;
console.log(JSON.stringify({ models, streamed, vectors, call, refused }));
