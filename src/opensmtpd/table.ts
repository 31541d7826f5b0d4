import { BridgeClient } from "./bridge-client.ts";
import type { TablePorts } from "./ports.ts";
import { checked, failed, LineReader, REGISTRATION, type Request, readRequest, updated } from "./protocol.ts";

/** Answers smtpd's questions one after another, until it closes its side. Never throws. */
export async function serveTable(ports: TablePorts): Promise<void> {
  const table = new Table(ports);
  try {
    for await (const bytes of ports.input) await table.feed(bytes);
  } catch {
    // The connection to smtpd broke: it is gone.
  } finally {
    table.close();
  }
}

class Table {
  readonly #ports: TablePorts;
  readonly #bridge: BridgeClient;
  readonly #lines = new LineReader();
  #isRegistered = false;
  #hasSeenUnknown = false;

  constructor(ports: TablePorts) {
    this.#ports = ports;
    this.#bridge = new BridgeClient(ports);
  }

  async feed(bytes: Uint8Array): Promise<void> {
    this.#lines.feed(bytes);
    for (let line = this.#lines.next(); line !== null; line = this.#lines.next()) {
      const answer = await this.#answer(readRequest(line));
      if (answer !== null) await this.#ports.write(answer);
    }
  }

  close(): void {
    this.#bridge.close();
  }

  /** @returns the line to write; null for a line that is no question */
  async #answer(request: Request): Promise<string | null> {
    switch (request.kind) {
      case "ready":
        // A second registration would be an answer to the next question.
        if (this.#isRegistered) return null;
        this.#isRegistered = true;
        return REGISTRATION;
      case "update":
        return updated(request.id);
      case "check":
        return this.#check(request);
      case "unsupported":
        return failed(request.operation, request.id, request.why);
      case "unknown":
        this.#noteUnknown();
        return null;
      case "config":
        return null;
    }
  }

  /** Logs the first one only. */
  #noteUnknown(): void {
    if (!this.#hasSeenUnknown) {
      this.#ports.log("smtpd sent a line that is not of its table protocol 0.1; such lines get no answer");
    }
    this.#hasSeenUnknown = true;
  }

  async #check({ id, service, key }: Extract<Request, { kind: "check" }>): Promise<string> {
    try {
      return checked(id, await this.#bridge.check(service, key));
    } catch (error) {
      return failed("check", id, error instanceof Error ? error.message : "unknown");
    }
  }
}
