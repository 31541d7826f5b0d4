/** Ways in which what stands at the edge's URL can fail a request, each as tempting as it can be made. */
import type { ServerResponse } from "node:http";
import type { Answer } from "../../../src/directory/index.ts";
import { about, type Misbehaviour, reset, sendJson } from "./edge-front.ts";

/** The opposite of the truth, well-formed: what must not be believed under another status than 200. */
export const lie = ({ recipient, verdict }: Answer): Answer =>
  about(recipient, verdict === "deliverable" ? "unknown" : "deliverable");

/** A status that carries a whole, well-formed, wrong answer. */
const status =
  (code: number, headers: Record<string, string> = {}): Misbehaviour =>
  (_question, truth, response) =>
    sendJson(response, code, lie(truth), headers);

/** Sends so many bytes of a body that promises to be longer. */
function begin(response: ServerResponse, truth: Answer): void {
  const body = JSON.stringify(truth);
  response.writeHead(200, { "content-type": "application/json", "content-length": body.length });
  response.write(body.slice(0, body.length / 2));
}

/** A byte now and then, of an answer that would be whole after a minute. */
function drip(response: ServerResponse, body: string): void {
  response.writeHead(200, { "content-type": "application/json", "content-length": body.length });
  let sent = 0;
  const timer = setInterval(() => response.write(body[sent++] ?? ""), 150);
  response.once("close", () => clearInterval(timer));
}

const HUGE = 64 * 1024 * 1024;
const PART = "x".repeat(64 * 1024);

/** A whole, well-formed answer with a member of 64 MB. */
function flood(response: ServerResponse, body: string): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.write(`{"detail":"`);
  let sent = 0;
  const more = (): void => {
    while (!response.destroyed && sent < HUGE) {
      sent += PART.length;
      if (!response.write(PART)) return void response.once("drain", more);
    }
    response.end(`",${body.slice(1)}`);
  };
  more();
}

/** By the words of the documentation. */
export const MISBEHAVIOURS: Readonly<Record<string, Misbehaviour>> = {
  "hangs before the answer": () => undefined,
  "hangs within the answer": (_question, truth, response) => begin(response, truth),
  "drips the answer, which takes a minute": (_question, truth, response) =>
    drip(response, JSON.stringify(lie(truth))),
  "resets the connection": (_question, _truth, response) => reset(response),
  "resets within the answer": (_question, truth, response) => {
    begin(response, truth);
    setTimeout(() => reset(response), 10);
  },
  "301 to another place": status(301, { location: "http://127.0.0.1:9/v1/rcpt" }),
  "401": status(401),
  "403": status(403),
  "403, a bot filter's page": (_question, _truth, response) => {
    response.writeHead(403, { "content-type": "text/html", "cf-mitigated": "challenge" });
    response.end("<!DOCTYPE html><title>Just a moment...</title>");
  },
  "404": status(404),
  "429": status(429, { "retry-after": "1" }),
  "500": status(500),
  "502": status(502),
  "503": status(503),
  "204, nothing": (_question, _truth, response) => {
    response.writeHead(204).end();
  },
  HTML: (_question, _truth, response) => {
    response.writeHead(200, { "content-type": "text/html" }).end("<!DOCTYPE html><title>550 5.1.1</title>");
  },
  "half a JSON": (_question, truth, response) => {
    const body = JSON.stringify(lie(truth));
    response.writeHead(200, { "content-type": "application/json" }).end(body.slice(0, -20));
  },
  "an answer of 64 MB": (_question, truth, response) => flood(response, JSON.stringify(lie(truth))),
  "an unknown verdict": (_question, truth, response) =>
    sendJson(response, 200, {
      ...lie(truth),
      verdict: "vanished",
      action: "reject",
      reply: "550 5.1.1 gone",
    }),
  "an unknown action": (_question, truth, response) =>
    sendJson(response, 200, { ...lie(truth), action: "discard" }),
  "a reply that means something else": (_question, truth, response) =>
    sendJson(response, 200, { ...truth, reply: lie(truth).reply }),
  "another recipient": (_question, truth, response) =>
    sendJson(response, 200, lie({ ...truth, recipient: `not.${truth.recipient}` })),
  "another fault for each request": (question, truth, response) => {
    const faults = Object.entries(MISBEHAVIOURS).filter(([name]) => !/hangs|drips|another fault/.test(name));
    turn += 7;
    const [, misbehave] = faults[turn % faults.length] as (typeof faults)[number];
    misbehave(question, truth, response);
  },
};

let turn = 0;
