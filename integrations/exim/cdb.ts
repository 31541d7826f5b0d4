/** Writes constant databases (cdb), which Exim looks up and Debian has no installed tool for. Format: https://cr.yp.to/cdb/cdb.txt */

const TABLES = 256;
const HEAD = TABLES * 8;

function hashOf(key: Buffer): number {
  let hash = 5381;
  for (const byte of key) hash = ((((hash << 5) + hash) | 0) ^ byte) >>> 0;
  return hash;
}

/** @returns a database in which each key has an empty value */
export function constantDatabase(names: readonly string[]): Uint8Array {
  const head = Buffer.alloc(HEAD);
  const parts: Buffer[] = [head];
  const slots: [hash: number, position: number][][] = Array.from({ length: TABLES }, () => []);
  let end = HEAD;
  const put = (part: Buffer): void => {
    parts.push(part);
    end += part.length;
  };
  for (const name of names) {
    const key = Buffer.from(name);
    const hash = hashOf(key);
    slots[hash % TABLES]?.push([hash, end]);
    const lengths = Buffer.alloc(8);
    lengths.writeUInt32LE(key.length, 0);
    put(Buffer.concat([lengths, key]));
  }
  for (const [number, entries] of slots.entries()) {
    const size = entries.length * 2;
    head.writeUInt32LE(end, number * 8);
    head.writeUInt32LE(size, number * 8 + 4);
    const table = Buffer.alloc(size * 8);
    for (const [hash, position] of entries) {
      let slot = Math.floor(hash / TABLES) % size;
      while (table.readUInt32LE(slot * 8 + 4) !== 0) slot = (slot + 1) % size;
      table.writeUInt32LE(hash, slot * 8);
      table.writeUInt32LE(position, slot * 8 + 4);
    }
    put(table);
  }
  return Buffer.concat(parts);
}
