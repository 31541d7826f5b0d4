/** Counts distinct names without keeping them: HyperLogLog (Flajolet et al. 2007) over tails, which a keyed hash made. */

import { tailOf } from "../address/fingerprint.ts";
import { DirectoryError } from "../errors.ts";

/** The standard error is 1.04 / √256, or 6.5 %; below about 100 names it is less. */
const REGISTERS = 256;
const ALPHA = 0.7213 / (1 + 1.079 / REGISTERS);

/** For each register the highest rank of a name in it; 0: none was there. */
export type Sketch = Uint8Array;

export const newSketch = (): Sketch => new Uint8Array(REGISTERS);

/** Adds a name. @param digest a fingerprint's digest; who does not have the key cannot choose what it counts as */
export function addToSketch(sketch: Sketch, digest: Uint8Array): void {
  const tail = tailOf(digest);
  raise(sketch, tail % REGISTERS, Math.clz32(tail / 2 ** 16) + 1);
}

/** About how many distinct names were added, rounded. */
export function estimate(sketch: Sketch): number {
  const empty = sketch.filter((rank) => rank === 0).length;
  const raw = (ALPHA * REGISTERS ** 2) / sketch.reduce((sum, rank) => sum + 2 ** -rank, 0);
  const isFew = empty > 0 && raw <= 2.5 * REGISTERS;
  return Math.round(isFew ? REGISTERS * Math.log(REGISTERS / empty) : raw);
}

/** Registers that are not empty, each as two bytes: place and rank. Few names make it short. */
export const packSketch = (sketch: Sketch): Uint8Array =>
  Uint8Array.from([...sketch].flatMap((rank, at) => (rank === 0 ? [] : [at, rank])));

/** Whether bytes from outside are a packed sketch. */
export const isPackedSketch = (packed: Uint8Array): boolean =>
  packed.length % 2 === 0 &&
  packed.every((byte, i) =>
    i % 2 === 0 ? i === 0 || byte > (packed[i - 2] as number) : byte > 0 && byte <= 33,
  );

/** Adds the names of another sketch. */
export function mergeSketch(into: Sketch, other: Sketch): void {
  for (const [at, rank] of other.entries()) raise(into, at, rank);
}

/** Adds the names of a packed sketch. @throws DirectoryError `damaged` */
export function mergePackedSketch(into: Sketch, packed: Uint8Array): void {
  if (!isPackedSketch(packed)) throw new DirectoryError("damaged", "a sketch of names is damaged");
  for (let i = 0; i < packed.length; i += 2) raise(into, packed[i] as number, packed[i + 1] as number);
}

function raise(sketch: Sketch, at: number, rank: number): void {
  if ((sketch[at] as number) < rank) sketch[at] = rank;
}
