import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fingerprint, tailOf } from "../../src/directory/address/fingerprint.ts";
import {
  decodeDepartures,
  departedUntil,
  departureBitsFor,
  departureBlobOf,
  departuresOf,
  encodeDepartures,
} from "../../src/directory/formats/departures.ts";
import { faultOf, flipped, forAll, idOf, KEY, randomNumbers, succeeds, unaligned } from "./helpers.ts";

const TAILS = 2 ** 48;

const columns = (until: ReadonlyMap<number, number>) => {
  const tails = Float64Array.from(until.keys()).sort();
  return { tails, until: Uint32Array.from(tails, (tail) => until.get(tail) as number) };
};

const left = (maxLength: number) =>
  fc
    .array(
      fc.tuple(
        fc.oneof(
          fc.maxSafeInteger().map((n) => Math.abs(n) % TAILS),
          fc.nat(200).map((low) => 5 * 2 ** 16 + low),
          fc.constantFrom(0, 1, 2 ** 16 - 1, 2 ** 16, TAILS - 1),
        ),
        fc.integer({ min: 0, max: 0xffffffff }),
      ),
      { maxLength },
    )
    .map((pairs) => new Map(pairs));

function digestOf(tail: number): Uint8Array {
  const digest = new Uint8Array(32);
  const view = new DataView(digest.buffer);
  view.setUint16(4, Math.floor(tail / 2 ** 32));
  view.setUint32(6, tail % 2 ** 32);
  return digest;
}

describe("departures", () => {
  it("decode to what was encoded, and find each name and no neighbour", () => {
    forAll([left(200), fc.nat(8)], (until, bits) => {
      const blob = decodeDepartures(encodeDepartures(columns(until), bits));
      expect(blob.bits).toBe(bits);
      expect(blob.count).toBe(until.size);
      expect(departuresOf(blob)).toEqual(columns(until));
      for (const [tail, second] of until) {
        expect(departedUntil(blob, digestOf(tail))).toBe(second);
        for (const near of [tail - 1, tail + 1, tail + 2 ** 16]) {
          if (near < 0 || near >= TAILS) continue;
          expect(departedUntil(blob, digestOf(near))).toBe(until.get(near) ?? 0);
        }
      }
    });
  });

  it("are found by the fingerprints of names, and other names are not", () => {
    const names = Array.from({ length: 5_000 }, (_, i) => `user${i}`);
    const until = new Map(names.map((name, i) => [tailOf(fingerprint(KEY.names, name)), 1_000 + i]));
    const blob = decodeDepartures(encodeDepartures(columns(until), 0));
    names.forEach((name, i) => {
      expect(departedUntil(blob, fingerprint(KEY.names, name))).toBe(1_000 + i);
      expect(departedUntil(blob, fingerprint(KEY.names, `no${name}`))).toBe(0);
    });
  });

  it("may be empty", () => {
    const blob = decodeDepartures(encodeDepartures(columns(new Map()), 0));
    expect(blob.count).toBe(0);
    expect(departedUntil(blob, digestOf(0))).toBe(0);
  });

  it("work at any offset, and in a Buffer, whose slices share memory", () => {
    const bytes = encodeDepartures(columns(new Map([[5, 9]])), 0);
    for (const offset of [1, 2, 3]) {
      expect(departedUntil(decodeDepartures(unaligned(bytes, offset)), digestOf(5))).toBe(9);
      const buffer = Buffer.concat([Buffer.alloc(offset), bytes]).subarray(offset);
      expect(departedUntil(decodeDepartures(buffer), digestOf(5))).toBe(9);
    }
  });
});

describe("departures in several blobs", () => {
  it.each([
    [0, 0],
    [32_768, 0],
    [32_769, 1],
    [65_536, 1],
    [65_537, 2],
    [8_388_608, 8],
    [500_000_000, 8],
  ])("for %i names are 2^%i", (count, bits) => {
    expect(departureBitsFor(count)).toBe(bits);
  });

  it("are split by the top bits of the tail, in its order", () => {
    const next = randomNumbers(3);
    for (let bits = 0; bits <= 8; bits++) {
      expect(departureBlobOf(0, bits)).toBe(0);
      expect(departureBlobOf(TAILS - 1, bits)).toBe(2 ** bits - 1);
      const tails = Array.from({ length: 200 }, () => (next() % 2 ** 16) * 2 ** 32 + next()).sort(
        (a, b) => a - b,
      );
      const blobs = tails.map((tail) => departureBlobOf(tail, bits));
      expect(blobs).toEqual([...blobs].sort((a, b) => a - b));
      expect(blobs).toEqual(tails.map((tail) => Number(BigInt(tail) >> BigInt(48 - bits))));
    }
  });
});

describe("damaged departures", () => {
  const bytes = encodeDepartures(
    columns(
      new Map([
        [1, 100],
        [2, 50],
        [2 ** 16, 7],
        [TAILS - 1, 8],
      ]),
    ),
    2,
  );

  const written = (at: number, value: number, size: 1 | 2 | 4 = 4): Uint8Array => {
    const copy = Uint8Array.from(bytes);
    const view = new DataView(copy.buffer);
    if (size === 4) view.setUint32(at, value, true);
    else if (size === 2) view.setUint16(at, value, true);
    else view.setUint8(at, value);
    return copy;
  };

  it("are recognised if truncated anywhere, and if bytes follow", () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(faultOf(() => decodeDepartures(bytes.subarray(0, length)))).toBe("damaged");
    }
    expect(faultOf(() => decodeDepartures(Uint8Array.of(...bytes, 0)))).toBe("damaged");
  });

  it("are recognised by their content id for any flipped bit, and decoding throws only its own error", () => {
    const id = idOf(bytes);
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const altered = flipped(bytes, bit);
      expect(idOf(altered)).not.toBe(id);
      succeeds(() => decodeDepartures(altered));
    }
  });

  it.each([
    ["another magic", written(0, 1)],
    ["a format from the future", written(4, 2, 1)],
    ["more blobs than there can be", written(5, 9, 1)],
    ["padding that is not zero", written(6, 1, 2)],
    ["a length that is a lie", written(8, bytes.length + 10)],
    ["more names than bytes", written(12, 5)],
    ["four thousand million names", written(12, 0xffffffff)],
    ["names out of order", written(16, 0xffffffff)],
    ["the same name twice", written(16 + 4 * 4 * 2 + 2, 1, 2)],
  ])("are recognised by %s", (_, altered) => {
    expect(faultOf(() => decodeDepartures(altered))).toBe("damaged");
  });

  it("of any bytes are refused, unless the encoder would write those bytes", () => {
    const edits = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    forAll(
      [edits],
      (edit) => {
        const altered = Uint8Array.from(bytes);
        for (const [at, byte] of edit) altered[at] = byte;
        if (!succeeds(() => decodeDepartures(altered))) return;
        const blob = decodeDepartures(altered);
        expect(encodeDepartures(departuresOf(blob), blob.bits)).toEqual(altered);
      },
      { numRuns: 2_000 },
    );
  });
});

it("departures cut within their header are damaged, wherever the bytes lie", () => {
  const whole = encodeDepartures(columns(new Map([[5, 9]])), 0);
  for (let length = 0; length < 16; length++) {
    expect(faultOf(() => decodeDepartures(whole.slice(0, length)))).toBe("damaged");
  }
});
