/** The way from clients to isolates: HTTP requests that may be slow, get lost, or meet something that is no edge. */

import { type Faults, meets } from "./faults.ts";
import { NONSENSE } from "./limits.ts";
import { Random } from "./random.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** An isolate that takes requests; beside its response it says what was seen of it meanwhile. */
export interface Reachable<Seen> {
  readonly isAlive: boolean;
  fetch(request: Request): Promise<{ readonly response: Response; readonly moments: Seen }>;
}

/** One check over HTTP. */
export interface HttpExchange {
  readonly request: Request;
  /** Body of the request. */
  readonly asked: string;
  readonly status: number;
  /** Body of the response. */
  readonly body: string;
}

export interface NetworkParts<Seen, Host extends Reachable<Seen>> {
  readonly seed: number;
  readonly time: VirtualTime;
  readonly faults: Faults;
  /** An isolate that takes requests near a location. */
  isolateAt(location: string, random: Random): Host | null;
  /** An isolate answered a check. */
  answered(host: Host, exchange: HttpExchange, moments: Seen): void;
}

export type Fetch = (input: string, init?: RequestInit) => Promise<Response>;

export class Network<Seen, Host extends Reachable<Seen>> {
  readonly #parts: NetworkParts<Seen, Host>;
  readonly #random: Random;

  constructor(parts: NetworkParts<Seen, Host>) {
    this.#parts = parts;
    this.#random = new Random(parts.seed, "network");
  }

  /**
   * `fetch` as a client at a location has it.
   * @param via receives the isolate that takes a request
   * @param keptTo the isolate to which its connection leads, null if to any
   */
  from(
    location: string,
    via: (host: Host) => void = () => undefined,
    keptTo: () => Host | null = () => null,
  ): Fetch {
    return async (input, init) => {
      const { faults, time, answered } = this.#parts;
      const random = this.#random;
      const met = faults.meet(time.now(), location, meets("edge"));
      await time.sleep(2 + random.between(0, 20) + (met?.kind === "edge slow" ? met.size * 4_000 : 0));
      if (met?.kind === "edge away") throw new TypeError("fetch failed");
      const isCheck = new URL(input).pathname === "/v1/rcpt";
      if (met?.kind === "edge answers nonsense")
        return isCheck ? nonsense(random, String(init?.body ?? "")) : page();
      const kept = keptTo();
      const host = kept?.isAlive ? kept : this.#parts.isolateAt(location, random);
      if (host === null) throw new TypeError("fetch failed");
      via(host);
      const { signal: _, ...rest } = init ?? {};
      const request = new Request(input, rest);
      const asked = typeof rest.body === "string" ? rest.body : "";
      const { response, moments } = await host.fetch(request);
      const bytes = new Uint8Array(await response.arrayBuffer());
      const { status } = response;
      if (isCheck) answered(host, { request, asked, status, body: new TextDecoder().decode(bytes) }, moments);
      await time.sleep(2 + random.between(0, 20) + (met?.kind === "edge answer late" ? met.size * 2_900 : 0));
      if (met?.kind === "edge answer lost") throw new TypeError("fetch failed");
      return new Response(bytes, { status, headers: response.headers });
    };
  }
}

const page = (): Response =>
  new Response("<html>404</html>", { status: 404, headers: { "content-type": "text/html" } });

/** What a wrong host name, a filter or a broken proxy says. None of it is a verdict (law 1). */
function nonsense(random: Random, asked: string): Response {
  const recipient = /"recipient":"((?:[^"\\]|\\.)*)"/.exec(asked)?.[1] ?? "x@y.example";
  const refusal = {
    recipient: JSON.parse(`"${recipient}"`) as string,
    verdict: "unknown",
    action: "reject",
    reply: `550 5.1.1 ${NONSENSE}`,
    generation: 999_999,
    domain: "d0.example",
    confirmed_age: 0,
    max_age: 30,
  };
  const json = { "content-type": "application/json" };
  switch (random.between(0, 6)) {
    case 0:
      return page();
    case 1:
      return new Response(JSON.stringify(refusal), { status: 404, headers: json });
    case 2:
      return new Response(JSON.stringify({ ...refusal, recipient: "somebody@else.example" }), {
        headers: json,
      });
    case 3:
      return new Response(JSON.stringify({ ...refusal, verdict: "vanished" }), { headers: json });
    case 4:
      return new Response(JSON.stringify({ ...refusal, action: "explode" }), { headers: json });
    case 5:
      return new Response(JSON.stringify(refusal).slice(0, 60), { headers: json });
    default:
      return new Response(JSON.stringify({ ...refusal, verdict: "deliverable" }), { headers: json });
  }
}
