/**
 * The floor of a batch: for each recipient one HMAC-SHA-256 by the edge's own implementation and one object of the
 * answer's form, between parsing the request and serialising the answer. SAMPLE is an answer of ours to one recipient.
 */
import { fingerprint } from "../../src/directory/address/fingerprint.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";

const HEADERS = { "Cache-Control": "private, no-store", "Content-Type": "application/json" };
const mac = stablelibHashing.hmac(new Uint8Array(32));

export default {
  async fetch(request: Request, { TOKEN, SAMPLE }: { TOKEN: string; SAMPLE: string }): Promise<Response> {
    if (request.headers.get("Authorization") !== `Bearer ${TOKEN}`)
      return new Response(null, { status: 401 });
    const sample = JSON.parse(SAMPLE) as Record<string, unknown>;
    const recipients = (await request.json()) as string[];
    // The digest becomes part of the answer, so that no compiler can leave it out.
    const results = recipients.map((recipient) => ({
      ...sample,
      recipient,
      max_age: fingerprint(mac, recipient.slice(0, recipient.lastIndexOf("@")))[0],
    }));
    return new Response(JSON.stringify({ results }), { headers: HEADERS });
  },
};
