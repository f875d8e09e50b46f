// The worker as it is asked: every call is a promise.
import type { ModelData } from "./weights";
import type { Call, Methods } from "./worker";

type Answer = { number: number; result?: unknown; error?: string };
type Waiting = { resolve: (result: never) => void; reject: (error: Error) => void };
interface Policies {
  createPolicy(name: string, rules: { createScriptURL: (url: string) => string }): { createScriptURL: (url: string) => string };
}

export class Engine {
  private readonly waiting = new Map<number, Waiting>();
  private readonly worker: Worker;
  private calls = 0;

  /** `source`: the worker's script. A page from a disk may not load one, but may make one. */
  constructor(source: string, model: ModelData) {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const policies = (window as { trustedTypes?: Policies }).trustedTypes;
    const policy = policies?.createPolicy("engine", { createScriptURL: (own) => own });
    this.worker = new Worker(policy ? policy.createScriptURL(url) : url);
    this.worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => this.answered(data));
    this.worker.addEventListener("error", (event) => this.failed(new Error(event.message)));
    this.opened = this.call("open", model);
  }

  /** Rejected where the model could not be read. */
  readonly opened: Promise<void>;

  call<M extends keyof Methods>(method: M, ...given: Parameters<Methods[M]>): Promise<Awaited<ReturnType<Methods[M]>>> {
    const number = this.calls++;
    return new Promise((resolve, reject) => {
      this.waiting.set(number, { resolve, reject });
      this.worker.postMessage({ number, method, given } satisfies Call);
    });
  }

  private answered({ number, result, error }: Answer): void {
    const waiting = this.waiting.get(number);
    this.waiting.delete(number);
    if (error === undefined) waiting?.resolve(result as never);
    else waiting?.reject(new Error(error));
  }

  private failed(error: Error): void {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}
