/** Ways in which what stands at the edge's URL can fail a request, each as tempting as it can be made. */
import type { ServerResponse } from "node:http";
import { type Form, type Misbehaviour, reset, sendJson } from "./edge-front.ts";
import { lie } from "./truth.ts";

/** A status that carries a whole, well-formed, wrong answer. */
const status =
  (code: number, headers: Record<string, string> = {}): Misbehaviour =>
  (truth, response, { encode }) =>
    sendJson(response, code, encode(lie(truth)), headers);

/** Sends so many bytes of a body that promises to be longer. */
function begin(response: ServerResponse, answer: object): void {
  const body = JSON.stringify(answer);
  response.writeHead(200, { "content-type": "application/json", "content-length": body.length });
  response.write(body.slice(0, body.length / 2));
}

/** A byte now and then, of an answer that would be whole after a minute. */
function drip(response: ServerResponse, body: string): void {
  response.writeHead(200, { "content-type": "application/json", "content-length": body.length });
  let sent = 0;
  const timer = setInterval(() => response.write(body[sent++] ?? ""), 60_000 / body.length);
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
  "hangs within the answer": (truth, response, { encode }) => begin(response, encode(truth)),
  "drips the answer, which takes a minute": (truth, response, { encode }) =>
    drip(response, JSON.stringify(encode(lie(truth)))),
  "resets the connection": (_truth, response) => reset(response),
  "resets within the answer": (truth, response, { encode }) => {
    begin(response, encode(truth));
    setTimeout(() => reset(response), 10);
  },
  "301 to another place": status(301, { location: "http://127.0.0.1:9/v1/rcpt" }),
  "401": status(401),
  "403": status(403),
  "403, a bot filter's page": (_truth, response) => {
    response.writeHead(403, { "content-type": "text/html", "cf-mitigated": "challenge" });
    response.end("<!DOCTYPE html><title>Just a moment...</title>");
  },
  "404": status(404),
  "429": status(429, { "retry-after": "1" }),
  "500": status(500),
  "502": status(502),
  "503": status(503),
  "204, nothing": (_truth, response) => {
    response.writeHead(204).end();
  },
  HTML: (_truth, response) => {
    response.writeHead(200, { "content-type": "text/html" }).end("<!DOCTYPE html><title>550 5.1.1</title>");
  },
  "half a JSON": (truth, response, { encode }) => {
    const body = JSON.stringify(encode(lie(truth)));
    response.writeHead(200, { "content-type": "application/json" }).end(body.slice(0, -20));
  },
  "an answer of 64 MB": (truth, response, { encode }) => flood(response, JSON.stringify(encode(lie(truth)))),
  "an unknown verdict": (truth, response) =>
    sendJson(response, 200, {
      ...lie(truth),
      verdict: "vanished",
      action: "reject",
      reply: "550 5.1.1 gone",
    }),
  "an unknown action": (truth, response, { encode, unknownAction }) =>
    sendJson(response, 200, { ...encode(lie(truth)), action: unknownAction }),
  "a reply that means something else": (truth, response) =>
    sendJson(response, 200, { ...truth, reply: lie(truth).reply }),
  "another recipient": (truth, response) =>
    sendJson(response, 200, lie({ ...truth, recipient: `not.${truth.recipient}` })),
  "another fault for each request": (truth, response, form) => {
    const faults = Object.entries(MISBEHAVIOURS).filter(
      ([name]) => !/hangs|drips|another fault/.test(name) && existsFor(form, name),
    );
    turn += 7;
    const [, misbehave] = faults[turn % faults.length] as (typeof faults)[number];
    misbehave(truth, response, form);
  },
};

let turn = 0;

/** Faults within members that the answer to a hook does not have: a verdict, a recipient, a second word for the action. */
const IN_ANSWERS_ONLY = ["an unknown verdict", "a reply that means something else", "another recipient"];

/** Whether there is such a fault in an answer of this form. */
export const existsFor = ({ name }: Pick<Form, "name">, misbehaviour: string): boolean =>
  name === "answer" || !IN_ANSWERS_ONLY.includes(misbehaviour);
