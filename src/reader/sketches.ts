/** Distinct names by domain and group, bounded, until they are reported. */
import type { Asked } from "../api/index.ts";
import { addToSketch, newSketch, packSketch, type Sketch, toBase64Url } from "../directory/index.ts";
import type { AskedName } from "./ports.ts";

/** Sketches of all domains, of 256 octets. Past that, the domain with the most of them makes room. */
const MAX_SKETCHES = 4_096;

/** How much one question takes along. */
export interface Room {
  /** Lines, and characters in them. */
  lines: number;
  characters: number;
}

export class Sketches {
  readonly #domains = new Map<string, Map<number, Sketch>>();
  #count = 0;

  add({ domain, group, name }: AskedName): void {
    const known = this.#domains.get(domain)?.get(group);
    const sketch = known ?? this.#begin(domain, group);
    if (sketch !== null) addToSketch(sketch, name);
  }

  /**
   * Takes what has room, and keeps the rest: of each domain first the group of the most names, then its next one. So no domain
   * takes the room of another one, and many names come first.
   */
  take(isWanted: (domain: string) => boolean, room: Room): Asked[] {
    const lines: { readonly place: number; readonly octets: number; readonly line: Asked }[] = [];
    for (const [domain, groups] of this.#domains) {
      if (!isWanted(domain)) continue;
      [...groups]
        .map(([group, sketch]) => ({ group, packed: packSketch(sketch) }))
        .sort((a, b) => b.packed.length - a.packed.length)
        .forEach(({ group, packed }, place) => {
          lines.push({ place, octets: packed.length, line: [domain, group, toBase64Url(packed)] });
        });
    }
    lines.sort((a, b) => a.place - b.place || b.octets - a.octets);
    const taken: Asked[] = [];
    for (const { line } of lines) {
      const length = JSON.stringify(line).length + 1;
      if (room.lines === 0 || room.characters < length) break;
      room.lines--;
      room.characters -= length;
      taken.push(line);
      this.#drop(line[0], line[1]);
    }
    return taken;
  }

  #begin(domain: string, group: number): Sketch | null {
    if (this.#count >= MAX_SKETCHES && !this.#makeRoom(domain)) return null;
    const groups = this.#domains.get(domain) ?? new Map<number, Sketch>();
    const sketch = newSketch();
    this.#domains.set(domain, groups.set(group, sketch));
    this.#count++;
    return sketch;
  }

  /** @returns whether another domain had so many that it gives one up */
  #makeRoom(domain: string): boolean {
    const own = this.#domains.get(domain)?.size ?? 0;
    let [most, fullest] = [own + 1, ""];
    for (const [other, { size }] of this.#domains) if (size > most) [most, fullest] = [size, other];
    const [given] = this.#domains.get(fullest)?.keys() ?? [];
    if (given === undefined) return false;
    this.#drop(fullest, given);
    return true;
  }

  #drop(domain: string, group: number): void {
    const groups = this.#domains.get(domain) as Map<number, Sketch>;
    groups.delete(group);
    this.#count--;
    if (groups.size === 0) this.#domains.delete(domain);
  }
}
