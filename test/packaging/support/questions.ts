import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { type ListenAddress, parseAddress } from "../../../src/bridge/index.ts";
import { askOnce, netstring } from "../../bridge/support/sockets.ts";
import { type Running, startCli, startDev } from "../../support/processes.ts";

/** A real edge with a published list, for an installed command. */
export interface PublishedEdge {
  readonly url: string;
  /** A file with a token of role check. */
  readonly checkToken: string;
  /** The same with role replica. */
  readonly replicaToken: string;
  /** A file with the admin token. */
  readonly adminToken: string;
  stop(): Promise<unknown>;
}

/** alice@example.org exists there, nobody@example.org does not. @param home a temporary folder */
export async function startPublishedEdge(home: string): Promise<PublishedEdge> {
  const dev = await startDev("state", { home });
  const adminToken = join(home, "state", "admin-token");
  const edge = ["--url", dev.url, "--token-file", adminToken];
  const list = join(home, "list.txt");
  writeFileSync(list, "alice@example.org\n");
  const publish = ["publish", "--domain", "example.org", list, "--enforce", "--yes", ...edge];
  expect(await startCli(publish, { home }).ended).toMatchObject({ code: 0 });
  const tokenOf = async (role: string): Promise<string> => {
    const create = ["token", "create", "--role", role, "--domain", "example.org", ...edge];
    const { stdout } = await startCli(create, { home }).ended;
    const file = join(home, `${role}-token`);
    writeFileSync(file, stdout, { mode: 0o600 });
    return file;
  };
  const [checkToken, replicaToken] = [await tokenOf("check"), await tokenOf("replica")];
  return { url: dev.url, checkToken, replicaToken, adminToken, stop: () => dev.process.stop() };
}

/** Whether a bridge that is ready answers questions about {@link startPublishedEdge}'s list, over its socketmap. */
export async function expectAnswers(bridge: Running): Promise<void> {
  const [, shown = ""] = await bridge.saying(/^socketmap on (\S+)$[\s\S]*\bready\b/m);
  const address = parseAddress(shown);
  if (typeof address === "string") throw new Error(address);
  await expectAnswersOn(address);
}

/** The same of a socketmap whose address is known. */
export async function expectAnswersOn(address: ListenAddress): Promise<void> {
  expect(await askOnce(address, netstring("recipients alice@example.org"))).toBe(netstring("OK deliverable"));
  expect(await askOnce(address, netstring("recipients nobody@example.org"))).toBe(netstring("NOTFOUND "));
}
