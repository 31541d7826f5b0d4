/** Requests to the listener of MTA Hooks. */
import { type Agent, request as httpRequest } from "node:http";
import { expect } from "vitest";
import type { Resolution } from "../../../src/bridge/answers/resolution.ts";
import type { ListenAddress } from "../../../src/bridge/index.ts";
import { answerOf } from "./answers.ts";
import type { Resolve } from "./server.ts";

export interface Sent {
  readonly status: number;
  readonly connection: string | undefined;
  readonly type: string | undefined;
  readonly body: string;
}

export interface How {
  readonly agent?: Agent;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function post(address: ListenAddress, body: string, how: How = {}): Promise<Sent> {
  const { agent, path = "/v1/hooks/mta", method = "POST", headers = {} } = how;
  const where =
    address.kind === "unix" ? { socketPath: address.path } : { host: address.host, port: address.port };
  return new Promise((resolve, reject) => {
    const asked = httpRequest(
      { ...where, path, method, headers, ...(agent ? { agent } : {}) },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => {
          text += part;
        });
        response.on("end", () =>
          resolve({
            status: response.statusCode as number,
            connection: response.headers.connection,
            type: response.headers["content-type"],
            body: text,
          }),
        );
        response.on("error", reject);
      },
    );
    asked.on("error", reject).end(body);
  });
}

/** An answer as Stalwart reads it; what the draft has is compared as a whole. */
export interface HookAnswer {
  readonly action?: string;
  readonly response?: { readonly status: number };
}

export async function ask(address: ListenAddress, body: string, how: How = {}): Promise<HookAnswer> {
  const { status, body: text } = await post(address, body, how);
  expect(status).toBe(200);
  return JSON.parse(text) as HookAnswer;
}

/** A bridge that gives everyone this verdict. */
export const says =
  (verdict: Parameters<typeof answerOf>[1], more: Partial<Resolution> = {}): Resolve =>
  (recipient) => ({ answer: answerOf(recipient, verdict), source: "edge", ...more });
