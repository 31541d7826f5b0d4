import { watch } from "node:fs";
import { basename, dirname } from "node:path";

/**
 * Reports changes of files. Watches their folders, since most programs replace a file instead of changing it.
 * @param paths absolute
 * @param failed called for a folder that cannot be watched
 * @returns a function that ends it
 */
export function onFileChange(
  paths: readonly string[],
  changed: () => void,
  failed: (folder: string, why: string) => void,
): () => void {
  const names = new Map<string, Set<string>>();
  for (const path of paths) {
    const folder = dirname(path);
    names.set(folder, (names.get(folder) ?? new Set()).add(basename(path)));
  }
  const watchers = [...names].flatMap(([folder, files]) => {
    try {
      const watcher = watch(folder, { persistent: false }, (_, name) => {
        // Some systems do not name the file.
        if (name === null || files.has(name)) changed();
      });
      watcher.on("error", (error: Error) => failed(folder, error.message));
      return [watcher];
    } catch (error) {
      failed(folder, (error as Error).message);
      return [];
    }
  });
  return () => {
    for (const watcher of watchers) watcher.close();
  };
}
