/**
 * The load on a socketmap service: connections on each of which a number of questions is sent, all their answers are
 * waited for and looked at, and the next ones follow. Questions and answers are made beforehand, so that the load
 * takes less time than any service: `socketmap-bare.js` shows how fast it can be.
 */
import { createConnection, type Socket } from "node:net";

/** Keys of one table, and what it has to say about each. */
export interface Questions {
  readonly table: string;
  readonly keys: readonly string[];
  /** The value of a key; null where it has to be not found. */
  value(key: string): string | null;
}

export interface LoadShape {
  readonly connections: number;
  /** Questions that are sent in one piece. With 1, each waits for the answer of the one before. */
  readonly atOnce: number;
}

/** Load for one service. */
export interface SocketmapLoad {
  /** Asks about so many keys, going around them. @returns lookups a second; throws where an answer is wrong */
  ask(count: number): Promise<number>;
}

/** @param address `unix:/path` */
export function socketmapLoad(
  address: string,
  questions: Questions,
  { connections, atOnce }: LoadShape,
): SocketmapLoad {
  const bursts = burstsOf(questions, atOnce);
  return {
    async ask(count) {
      const sockets = await Promise.all(Array.from({ length: connections }, () => connect(address)));
      try {
        const each = Math.ceil(count / (connections * atOnce));
        const begun = performance.now();
        await Promise.all(
          sockets.map((socket, i) => {
            const from = Math.floor((i * bursts.length) / connections);
            return exchange(socket, bursts, from, each);
          }),
        );
        return (connections * each * atOnce) / ((performance.now() - begun) / 1000);
      } finally {
        for (const socket of sockets) socket.destroy();
      }
    },
  };
}

async function connect(address: string): Promise<Socket> {
  const socket = createConnection({ path: address.replace(/^unix:/, "") });
  await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  return socket;
}

interface Burst {
  readonly questions: Buffer;
  readonly answers: Buffer;
}

function burstsOf({ table, keys, value }: Questions, atOnce: number): readonly Burst[] {
  const netstring = (text: string): string => `${text.length}:${text},`;
  return Array.from({ length: Math.ceil(keys.length / atOnce) }, (_, i) => {
    const asked = Array.from({ length: atOnce }, (_, k) => keys[(i * atOnce + k) % keys.length] as string);
    const answers = asked.map(value).map((found) => netstring(found === null ? "NOTFOUND " : `OK ${found}`));
    return {
      questions: Buffer.from(asked.map((key) => netstring(`${table} ${key}`)).join("")),
      answers: Buffer.from(answers.join("")),
    };
  });
}

/** Sends `count` bursts, going around them from one of them on. */
function exchange(socket: Socket, bursts: readonly Burst[], from: number, count: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let answered = 0;
    let got = 0;
    const current = (): Burst => bursts[(from + answered) % bursts.length] as Burst;
    socket.on("error", reject).on("close", () => reject(new Error("the service closed the connection")));
    socket.on("data", (piece: Buffer) => {
      const { answers } = current();
      const end = got + piece.length;
      if (end > answers.length || answers.compare(piece, 0, piece.length, got, end) !== 0) {
        const expected = answers.toString("latin1", got, end);
        reject(new Error(`"${piece.toString("latin1", 0, 200)}" where "${expected}" was expected`));
        return;
      }
      got = end;
      if (got < answers.length) return;
      got = 0;
      answered++;
      if (answered === count) resolve();
      else socket.write(current().questions);
    });
    socket.write(current().questions);
  });
}
