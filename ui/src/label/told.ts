// A label in words, with the answers' letters as they are shown.
import { STRENGTHS, type Flag, type Task } from "./tasks";
import { words } from "./words";

export function told(task: Task, value: unknown): string {
  const say = words();
  if (task.kind === "rating") return String(value);
  if (task.kind === "thumb") return say[value as "up" | "down"];
  if (task.kind === "flags") return (value as Flag[]).map((flag) => say[flag]).join(", ") || say.none;
  const { answers, ranks, strength = 0 } = value as { answers: string[]; ranks?: number[]; strength?: number };
  const letter = (id: string): string => String.fromCharCode(65 + task.answers.findIndex((answer) => answer.id === id));
  if (ranks) {
    const steps = [...new Set(ranks)].sort((one, other) => one - other);
    return steps.map((rank) => answers.filter((_, at) => ranks[at] === rank).map(letter).sort().join(" = ")).join(" > ");
  }
  const seen = answers[0] === task.answers[0]?.id ? strength : -strength;
  return [say.muchA, say.aBetter, say.slightlyA, say.equal, say.slightlyB, say.bBetter, say.muchB][STRENGTHS.indexOf(seen)]!;
}
