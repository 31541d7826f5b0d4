import { describe, expect, it } from "vitest";
import { Askers } from "../../src/bridge/answers/askers.ts";
import { Turns } from "../../src/bridge/edge-source/turns.ts";
import { settle } from "./support/virtual-time.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** Turns with one permit, which another client has; what the others got, in order. */
async function taken(most = 100) {
  const clock = { time: 0, now: () => clock.time };
  const turns = new Turns(clock, 1, most);
  const said: string[] = [];
  const first = await turns.acquire(new Askers({}), NEVER);
  let release = typeof first === "string" ? () => undefined : first;
  const clients = new Map<string, object>();
  const clientOf = (name: string): object => {
    const client = clients.get(name) ?? {};
    clients.set(name, client);
    return client;
  };
  /** Asks for a permit; the client is the first letter of the question. */
  const ask = (question: string, deadline = NEVER): Askers => {
    const askers = new Askers(clientOf(question.slice(0, 1)));
    void turns.acquire(askers, deadline).then((permit) => {
      said.push(typeof permit === "string" ? `${question} ${permit}` : question);
      if (typeof permit !== "string") release = permit;
    });
    return askers;
  };
  /** Returns the permit so many times. */
  const next = async (times: number): Promise<string[]> => {
    for (let i = 0; i < times; i++) {
      release();
      await settle();
    }
    return said.splice(0);
  };
  return { clock, clientOf, ask, next };
}

describe("turns at the edge", () => {
  it("go round the clients, and a client that comes later has its turn in the same round", async () => {
    const { ask, next } = await taken();
    for (const question of ["a1", "a2", "a3", "b1", "b2"]) ask(question);
    expect(await next(2)).toEqual(["a1", "b1"]);
    ask("c1");
    expect(await next(4)).toEqual(["a2", "b2", "c1", "a3"]);
  });

  it("are given once to a question that many ask, as soon as one of them has a turn", async () => {
    const { ask, next, clientOf } = await taken();
    ask("a1");
    const shared = ask("a2");
    ask("a3");
    for (const name of ["b", "b", "a"]) shared.add(clientOf(name));
    expect(await next(3)).toEqual(["a1", "a2", "a3"]);
    shared.add(clientOf("c"));
    ask("c1");
    expect(await next(2)).toEqual(["c1"]);
  });

  it("are not given to a question that is too late", async () => {
    const { clock, ask, next } = await taken();
    ask("a1", 5);
    ask("a2", 10);
    ask("b1", 5);
    clock.time = 5;
    ask("a3");
    await settle();
    expect(await next(1)).toEqual(["a1 late", "a2"]);
    expect(await next(2)).toEqual(["b1 late", "a3"]);
  });

  it("are refused past the bound to a client that has its share, and to nobody else", async () => {
    const { ask, next } = await taken(4);
    for (const question of ["a1", "a2", "a3", "a4", "a5", "b1", "b2", "b3", "c1", "c2", "d1", "e1", "f1"]) {
      ask(question);
    }
    await settle();
    expect(await next(0)).toEqual(["a5 full", "b3 full", "c2 full"]);
    expect(await next(10)).toEqual(["a1", "b1", "c1", "d1", "e1", "f1", "a2", "b2", "a3", "a4"]);
    for (const question of ["a6", "a7"]) ask(question);
    expect(await next(2)).toEqual(["a6", "a7"]);
  });
});
