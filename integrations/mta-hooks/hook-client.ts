/**
 * How a client of draft-degennaro-mta-hooks-01 registers and asks, and what an SMTP client of its Postfix then sees. The
 * client itself was not run: this follows src/hooks.rs and src/session.rs of rspamd/mta-hooks-milter at 9fcb561.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { type HookRequest, type HookResponse, send } from "./hook-http.ts";
import { draftBody, OFFERED } from "./hook-message.ts";

/** Postfix's own words after the milter's "continue" and "temporary failure". */
const ACCEPTED = "250 2.1.5 Ok";
const FAILED = "451 4.7.1 Service unavailable - try again later";

export interface DraftSettings {
  /** Where to register. */
  readonly url: string;
  readonly authorization: string | null;
  /** Milliseconds for a recipient, a registration and repetitions included. */
  readonly timeout: number;
  readonly authority: string | null;
}

/** What was agreed on. */
export interface Registration {
  readonly id: string;
  readonly endpoint: string;
  readonly deregistration: string | null;
  readonly properties: readonly string[];
}

type Json = Readonly<Record<string, unknown>>;

export class DraftClient {
  readonly #settings: DraftSettings;
  #registration: Registration | null = null;

  constructor(settings: DraftSettings) {
    this.#settings = settings;
  }

  /** @throws Error if the service does not answer as it must: the client does not start then */
  async register(): Promise<Registration> {
    const { url, timeout } = this.#settings;
    const response = await this.#send("POST", url, {
      name: "postfix-mta-hooks",
      version: "0.1.0",
      timeoutMs: timeout,
      serialization: "json",
      inbound: { stages: ["rcpt"], properties: OFFERED },
      outbound: null,
    });
    if (response.status !== 201) throw new Error(`registration HTTP ${response.status}`);
    const value = jsonOf(response);
    const { registrationId: id, status, negotiated, hookEndpoint, endpoints, expiresAt } = value;
    if (typeof id !== "string" || !/^[\w:-]{1,255}$/.test(id)) throw new Error("registration id");
    const { serialization, inbound } = negotiated as Json;
    if (status !== "active" || serialization !== "json") throw new Error("incompatible registration");
    const { stages, properties } = inbound as { stages: unknown[]; properties: string[] };
    if (stages.length !== 1 || stages[0] !== "rcpt") throw new Error("stages were not confirmed");
    const offered: readonly string[] = OFFERED;
    if (properties.some((each) => !offered.includes(each))) throw new Error("a property was not offered");
    if (!properties.includes("/stage") || !properties.includes("/action")) {
      throw new Error("required properties were not confirmed");
    }
    if (expiresAt !== undefined && expiresAt !== null) throw new Error("an expiry is not expected here");
    const { deregistration } = (endpoints ?? {}) as Json;
    this.#registration = {
      id,
      endpoint: sameOrigin(hookEndpoint, url),
      deregistration: deregistration === undefined ? null : sameOrigin(deregistration, url),
      properties,
    };
    return this.#registration;
  }

  /** Ends the registration. @returns the status */
  async deregister(): Promise<number> {
    const { id, deregistration } = await this.#registered();
    this.#registration = null;
    if (deregistration === null) return 0;
    const headers = { "X-MTA-Hooks-Registration": id };
    return (await this.#send("DELETE", deregistration, undefined, headers)).status;
  }

  /** The reply to RCPT TO. @param recipients up to now, the one to judge last */
  async rcpt(...recipients: string[]): Promise<string> {
    try {
      return verdictOf(await this.#invoke(recipients));
    } catch {
      return FAILED;
    }
  }

  async #registered(): Promise<Registration> {
    return this.#registration ?? this.register();
  }

  /** @returns null without modifications */
  async #invoke(recipients: readonly string[]): Promise<unknown> {
    const id = randomUUID();
    let hasRecovered = false;
    for (let retries = 0; ; ) {
      const registration = await this.#registered();
      const body = draftBody("rcpt", recipients, registration.properties);
      const response = await this.#send("POST", registration.endpoint, JSON.parse(body), {
        "X-MTA-Hooks-Registration": registration.id,
        "X-MTA-Hooks-Request-Id": id,
      });
      const { status } = response;
      if (status === 204) return null;
      if (status === 200) return jsonOf(response);
      if ((status === 404 || status === 410) && !hasRecovered) {
        hasRecovered = true;
        this.#registration = null;
      } else if ((status === 429 || status >= 500) && retries < 2) {
        await pause(100 * 2 ** retries++);
      } else {
        throw new Error(`hook HTTP ${status}`);
      }
    }
  }

  #send(
    method: HookRequest["method"],
    url: string,
    json?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<HookResponse> {
    const { authorization, timeout, authority } = this.#settings;
    return send({
      method,
      url,
      headers: { ...(authorization === null ? {} : { Authorization: authorization }), ...headers },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      timeout,
      limit: 1024 * 1024,
      authority,
    });
  }
}

/** Credentials are sent to the origin of the registration only. */
function sameOrigin(path: unknown, base: string): string {
  if (typeof path !== "string") throw new Error("no endpoint");
  const url = new URL(path, base);
  if (url.origin !== new URL(base).origin) throw new Error("cross-origin endpoint");
  return url.href;
}

function jsonOf({ type, body }: HookResponse): Json {
  if (type.split(";", 1)[0]?.trim().toLowerCase() !== "application/json") throw new Error("no JSON");
  const value: unknown = JSON.parse(body);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("no object");
  return value as Json;
}

/** @throws Error for members that the client does not know: it applies nothing of such an answer */
function membersOf(value: unknown, known: readonly string[]): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("no object");
  const unknown = Object.keys(value).find((each) => !known.includes(each));
  if (unknown !== undefined) throw new Error(`unknown field ${unknown}`);
  return value as Json;
}

/** `translate` of the client, at the stage rcpt: there it accepts changes of the action and the response only. */
export function verdictOf(answer: unknown): string {
  if (answer === null) return ACCEPTED;
  const { set, add, delete: deleted } = membersOf(answer, ["set", "add", "delete"]);
  for (const edits of [add, deleted]) if (((edits ?? []) as unknown[]).length > 0) throw new Error("edits");
  let action: unknown = "accept";
  let response: unknown = null;
  for (const operation of (set ?? []) as unknown[]) {
    const { path, value } = membersOf(operation, ["path", "value"]);
    if (path === "/action") action = value;
    else if (path === "/response") response = value;
    else throw new Error("set outside of the supported update profile");
  }
  if (action === "accept" && response === null) return ACCEPTED;
  if (action !== "reject") throw new Error("unsupported action");
  const { code = 550, enhancedCode, message = "Rejected by policy" } = (response ?? {}) as Json;
  if (typeof code !== "number" || code < 400 || code > 599) throw new Error("SMTP code");
  if (typeof message !== "string" || /[^\x20-\x7e]/.test(message)) throw new Error("SMTP response text");
  if (enhancedCode === undefined || enhancedCode === null) return `${code} ${message}`;
  const kind = Math.floor(code / 100);
  if (typeof enhancedCode !== "string" || !new RegExp(`^${kind}(\\.\\d{1,3}){2}$`).test(enhancedCode)) {
    throw new Error("enhanced SMTP code");
  }
  return `${code} ${enhancedCode} ${message}`;
}
