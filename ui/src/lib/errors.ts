// A fault in the person's language: what happened and what can be done. The server's own words only where they say more.
import { ServerError } from "./server";
import { table } from "./words.svelte";

const words = table(
  {
    unreachable: "The server does not answer. Is it still running?",
    keyNeeded: "Log in, or enter the server's API key.",
    forbidden: "Your role may not do this.",
    gone: "This is no longer there.",
    tooLong: "This is longer than the model can read. Write less, or start a new chat.",
    noModel: "This model is no longer served. Choose another one.",
    busy: (seconds: number) =>
      seconds ? `Many people are asking. Try again in ${seconds} s.` : "Many people are asking. Try again in a moment.",
    failed: (message: string) => `The server said: ${message}`,
    page: (message: string) => `This page failed: ${message}`,
  },
  {
    unreachable: "服务器没有响应。它还在运行吗？",
    keyNeeded: "请登录，或输入服务器的 API 密钥。",
    forbidden: "您的角色无权这样做。",
    gone: "它已不存在。",
    tooLong: "内容超过了模型能读的长度。请写短一些，或开始新对话。",
    noModel: "此模型已不再提供服务，请选择另一个。",
    busy: (seconds: number) => (seconds ? `提问的人很多，请在 ${seconds} 秒后再试。` : "提问的人很多，请稍后再试。"),
    failed: (message: string) => `服务器返回：${message}`,
    page: (message: string) => `页面出错：${message}`,
  },
);

export const isAborted = (error: unknown): boolean => error instanceof DOMException && error.name === "AbortError";

/** Another server than the one that began it, or the same after a restart, knows nothing of it. */
export const isGone = (error: unknown): boolean => error instanceof ServerError && error.status === 404;

export function explain(error: unknown): string {
  const say = words();
  if (!(error instanceof ServerError)) return say.page(error instanceof Error ? error.message : String(error));
  if (error.status === 0) return say.unreachable;
  if (error.status === 401) return say.keyNeeded;
  if (error.status === 403 && error.code === "role_not_allowed") return say.forbidden;
  if (error.code === "context_length_exceeded") return say.tooLong;
  if (error.code === "model_not_found") return say.noModel;
  if (error.status === 404) return say.gone;
  if (error.status === 429 || error.status === 503) return say.busy(error.retryAfter);
  return say.failed(error.message);
}
