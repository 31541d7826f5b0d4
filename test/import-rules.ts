import { posix } from "node:path";
import type { Source } from "./source.ts";

/** From sources to violations. */
export type Rule = (sources: readonly Source[]) => string[];

/** The files that a source imports, as paths from the root. */
export const filesOf = ({ path, imports }: Source): string[] =>
  imports.filter((it) => it.startsWith(".")).map((it) => posix.join(posix.dirname(path), it));

export const noCircles: Rule = (sources) => {
  const files = new Map(sources.map((it) => [it.path, filesOf(it)]));
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) circles.push([...trail.slice(trail.indexOf(path)), path].join(" -> "));
    else if (!done.has(path)) {
      for (const file of files.get(path) ?? []) visit(file, [...trail, path]);
      done.add(path);
    }
  };
  for (const path of files.keys()) visit(path, []);
  return circles;
};
