import { FINGERPRINT_BYTES, findEntry, type Shard, shardOf, tailOf } from "../directory/index.ts";

const CHUNK = 65_536;
/** Initial size of a chunk; a power of two, like {@link CHUNK}. */
const FIRST_ENTRIES = 64;

interface Chunk {
  readonly fingerprints: Uint8Array;
  readonly states: Uint8Array;
  readonly lines: Uint32Array;
}

/**
 * The entries of a list before they are packed: 15 bytes each in typed arrays, so that ten million take 150 MB and
 * none needs an object.
 */
export class EntryColumns {
  readonly #chunks: Chunk[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** @param digest a digest that starts with the fingerprint */
  add(digest: Uint8Array, state: number, line: number): void {
    const at = this.#count % CHUNK;
    if (at === 0) this.#chunks.push(chunkOf(FIRST_ENTRIES));
    let chunk = this.#chunks[this.#chunks.length - 1] as Chunk;
    if (at === chunk.states.length) {
      chunk = grown(chunk);
      this.#chunks[this.#chunks.length - 1] = chunk;
    }
    const { fingerprints } = chunk;
    const from = at * FINGERPRINT_BYTES;
    for (let i = 0; i < FINGERPRINT_BYTES; i++) fingerprints[from + i] = digest[i] as number;
    chunk.states[at] = state;
    chunk.lines[at] = line;
    this.#count++;
  }

  /** The fingerprint of entry `index`: a view, not a copy. */
  fingerprint(index: number): Uint8Array {
    const from = (index % CHUNK) * FINGERPRINT_BYTES;
    return this.#chunk(index).fingerprints.subarray(from, from + FINGERPRINT_BYTES);
  }

  // These read in place: a view of each fingerprint would cost more than the read itself.

  /** Number of the shard, out of 2^bits, of entry `index`. */
  shard(index: number, bits: number): number {
    return shardOf(this.#chunk(index).fingerprints, bits, (index % CHUNK) * FINGERPRINT_BYTES);
  }

  /** The 48-bit tail of entry `index`. */
  tail(index: number): number {
    return tailOf(this.#chunk(index).fingerprints, (index % CHUNK) * FINGERPRINT_BYTES);
  }

  /** What a check would find in `shard` for entry `index`: its state, or -1 if it is not listed. */
  find(index: number, shard: Shard): number {
    return findEntry(shard, this.#chunk(index).fingerprints, (index % CHUNK) * FINGERPRINT_BYTES);
  }

  state(index: number): number {
    return this.#chunk(index).states[index % CHUNK] as number;
  }

  /** Line of the source that has entry `index`. */
  line(index: number): number {
    return this.#chunk(index).lines[index % CHUNK] as number;
  }

  #chunk(index: number): Chunk {
    return this.#chunks[Math.floor(index / CHUNK)] as Chunk;
  }
}

const chunkOf = (entries: number): Chunk => ({
  fingerprints: new Uint8Array(entries * FINGERPRINT_BYTES),
  states: new Uint8Array(entries),
  lines: new Uint32Array(entries),
});

/** Doubles a chunk. Chunks start small, so that many small domains do not take a whole one each. */
function grown({ fingerprints, states, lines }: Chunk): Chunk {
  const larger = chunkOf(2 * states.length);
  larger.fingerprints.set(fingerprints);
  larger.states.set(states);
  larger.lines.set(lines);
  return larger;
}
