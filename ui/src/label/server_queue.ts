// The queue of the server.
import { ask } from "../lib/server";
import type { Outcome, Queue, Task } from "./tasks";

export const serverQueue = (labeller: string): Queue => ({
  labeller,
  next: async (kinds) => (await ask<{ task: Task | null }>("POST", "/api/tasks/next", { kinds })).task,
  submit: (task, labels) => ask<Outcome>("POST", `/api/tasks/${task.id}/submit`, { labels }),
  skip: async (task, reason, unsure) => void (await ask("POST", `/api/tasks/${task.id}/skip`, { reason, unsure })),
  undo: async (id) => (await ask<{ task: Task | null }>("POST", `/api/tasks/${id}/undo`)).task,
  renew: async (task) => {
    const { held, seconds_left } = await ask<{ held: boolean; seconds_left: number }>("POST", `/api/tasks/${task.id}/renew`, {});
    return held ? seconds_left : null;
  },
});
