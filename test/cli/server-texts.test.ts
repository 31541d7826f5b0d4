/* What an edge sends is shown on one line, and forges none, whatever command asks. */
import { describe, expect, it } from "vitest";
import { oneLine, withPlainTexts } from "../../src/cli/server-texts.ts";
import type { HttpReply } from "../../src/client/index.ts";

const FORGED = "a note\n\u001b[32m7  2026-01-01  by admin\u001b[0m\r\u202eevil\u2066\u2028\u0085";

async function shown(body: string): Promise<string> {
  const reply: HttpReply = { status: 200, header: () => null, bytes: new TextEncoder().encode(body) };
  const request = {} as Parameters<ReturnType<typeof withPlainTexts>>[0];
  return new TextDecoder().decode((await withPlainTexts(async () => reply)(request)).bytes);
}

describe("texts of an edge", () => {
  it("have no controls, colours or turns of direction", () => {
    expect(oneLine(FORGED)).toBe("a note??[32m7  2026-01-01  by admin?[0m??evil???");
    expect(oneLine("Grüße 😀 \u05d0")).toBe("Grüße 😀 \u05d0");
  });

  it("are made so in every member of a JSON answer, escaped or not, but not what was asked", async () => {
    const answer = {
      generations: [{ note: FORGED, by: FORGED }],
      recipient: "a\u202e@b.test",
      n: 7,
      none: null,
    };
    const plain = { ...answer, generations: [{ note: oneLine(FORGED), by: oneLine(FORGED) }] };
    expect(JSON.parse(await shown(JSON.stringify(answer)))).toEqual(plain);
    expect(JSON.parse(await shown('{"note":"x\u202ey"}'))).toEqual({ note: "x?y" });
  });

  it("are left alone if there is nothing to change, or if they are no JSON", async () => {
    for (const body of ['{"note": "fine"}', "no {JSON}\n", "{broken\n"]) expect(await shown(body)).toBe(body);
  });
});
