import { readManifest } from "../../src/directory/index.ts";
import { MemoryDisk } from "../../testing/memory-disk.ts";
import type { Random } from "../../testing/random.ts";

/** A disk on which no manifest goes back. */
export class WatchedDisk extends MemoryDisk {
  wentBack: (path: string) => void = () => undefined;

  get isBad(): boolean {
    return this.fault !== null || this.wait !== null;
  }

  makeWell(): void {
    this.fault = null;
    this.wait = null;
  }

  /** The times that the replica stored last, the Registry's and the host's; null if they cannot be read. */
  storedTime(): { readonly registry: number; readonly wall: number } | null {
    try {
      const text = new TextDecoder().decode(this.files.get("time"));
      return JSON.parse(text.slice(text.indexOf("\n"))) as { registry: number; wall: number };
    } catch {
      return null;
    }
  }

  /** Does something to a file whose path begins so. @returns its path; null if there is none */
  damage(random: Random, how: "flip" | "missing" | "swap", files: string): string | null {
    const paths = [...this.files.keys()].filter((path) => path.startsWith(files)).sort();
    if (paths.length === 0) return null;
    const path = random.pick(paths);
    if (how === "flip") this.flip(path, random.integer());
    else if (how === "missing") this.files.delete(path);
    else {
      const other = random.pick(paths);
      const [a, b] = [this.files.get(path), this.files.get(other)];
      this.files.set(path, b as Uint8Array);
      this.files.set(other, a as Uint8Array);
    }
    return path;
  }

  override write(path: string, bytes: Uint8Array): Promise<void> {
    const [, domain] = /^manifests\/(.+)$/.exec(path) ?? [];
    const before = this.files.get(path);
    if (domain !== undefined && before !== undefined && isOlder(bytes, before, domain)) this.wentBack(path);
    return super.write(path, bytes);
  }
}

function isOlder(bytes: Uint8Array, than: Uint8Array, domain: string): boolean {
  try {
    const [a, b] = [readManifest(bytes, domain), readManifest(than, domain)];
    return a.incarnation < b.incarnation || (a.incarnation === b.incarnation && a.generation < b.generation);
  } catch {
    return false;
  }
}
