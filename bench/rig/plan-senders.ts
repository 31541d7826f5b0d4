/** Sends one body to one route without a pause, in a thread of its own: sending 16 MB takes longer than an answer that is measured. */
import { once } from "node:events";
import { request } from "node:http";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

interface Sending {
  readonly url: string;
  /** One for each sender. */
  readonly tokens: readonly string[];
  readonly body: string;
}

/** Answers by status. One that is refused before its body was read may break while it is being sent. */
export type Answers = Readonly<Record<string, number>>;

/** Starts to send. @returns what ends it */
export function startSending(sending: Sending): () => Promise<Answers> {
  const worker = new Worker(new URL(import.meta.url), { workerData: sending });
  return async () => {
    worker.postMessage("end");
    const [answers] = (await once(worker, "message")) as [Answers];
    return answers;
  };
}

/** Milliseconds after which one that was refused sends again. */
const PAUSE = 10;

async function sendAll({ url, tokens, body }: Sending, isOver: () => boolean): Promise<Answers> {
  const bytes = Buffer.from(body);
  const headers = { "Content-Type": "application/json", "Content-Length": bytes.length };
  const answers: Record<string, number> = {};
  const send = (token: string): Promise<number | string> =>
    new Promise((resolve) => {
      const from = { ...headers, Authorization: `Bearer ${token}` };
      const sent = request(url, { method: "POST", headers: from, agent: false }, (response) => {
        response.resume().once("close", () => resolve(response.statusCode ?? 0));
        // The rest of a body that nobody reads.
        if (response.statusCode !== 200) sent.destroy();
      });
      sent.once("error", () => resolve("broken off"));
      sent.end(bytes);
    });
  await Promise.all(
    tokens.map(async (token) => {
      while (!isOver()) {
        const status = await send(token);
        answers[status] = (answers[status] ?? 0) + 1;
        if (status !== 200) await new Promise((resolve) => setTimeout(resolve, PAUSE));
      }
    }),
  );
  return answers;
}

if (!isMainThread) {
  let isOver = false;
  parentPort?.once("message", () => {
    isOver = true;
  });
  parentPort?.postMessage(await sendAll(workerData as Sending, () => isOver));
}
