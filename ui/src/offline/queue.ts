// Tasks that stand in the page, and what was said of them, kept where the page is opened.
import type { Given, Queue, Task } from "../label/tasks";

export interface Work {
  labeller: string;
  tasks: Task[];
}

/** A line of the file that goes back to the server. */
export interface Line {
  task: string;
  labeller: string;
  labels?: Given[];
  skip?: string;
  unsure?: boolean;
}

export class OfflineQueue implements Queue {
  readonly labeller: string;
  private readonly said: Map<string, Line>;
  private readonly key: string;
  /** Whether what is said outlives the page. */
  safe = true;

  constructor(
    private readonly work: Work,
    private readonly onchange: (queue: OfflineQueue) => void,
  ) {
    this.labeller = work.labeller;
    this.key = `gptwright.offline.${work.labeller}.${work.tasks.map((task) => task.id.slice(0, 6)).join("")}`;
    this.said = new Map(this.read().map((line) => [line.task, line]));
  }

  get lines(): Line[] {
    return [...this.said.values()];
  }

  next: Queue["next"] = async (kinds) =>
    this.work.tasks.find((task) => !this.said.has(task.id) && (!kinds.length || kinds.includes(task.kind))) ?? null;

  submit: Queue["submit"] = async (task, labels) => {
    this.say({ task: task.id, labeller: this.labeller, labels });
    return { in_time: true };
  };

  skip: Queue["skip"] = async (task, reason, unsure) =>
    this.say({ task: task.id, labeller: this.labeller, skip: reason, unsure });

  undo: Queue["undo"] = async (id) => {
    this.said.delete(id);
    this.write();
    return this.work.tasks.find((task) => task.id === id) ?? null;
  };

  renew: Queue["renew"] = async () => null;

  private say(line: Line) {
    this.said.set(line.task, line);
    this.write();
  }

  private read(): Line[] {
    try {
      return JSON.parse(localStorage.getItem(this.key) ?? "[]") as Line[];
    } catch {
      return []; // denied, or somebody else's entry
    }
  }

  private write() {
    try {
      localStorage.setItem(this.key, JSON.stringify(this.lines));
      this.safe = true;
    } catch {
      this.safe = false; // denied or full
    }
    this.onchange(this);
  }
}
