import { existsSync, linkSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { ListenAddress } from "../../src/bridge/index.ts";
import { temporaryFolder } from "../support/processes.ts";
import { startServer } from "./support/server.ts";
import { askOnce, netstring } from "./support/sockets.ts";

const ALICE = netstring("access alice@example.com");
const DUNNO = "8:OK DUNNO,";

describe("a unix socket", () => {
  const at = (path: string): ListenAddress => ({ kind: "unix", path });

  it("has the configured permissions, and is removed with the server", async () => {
    const path = join(temporaryFolder(), "socket");
    const { listen, stop } = startServer({ socketMode: 0o606 });
    await listen("socketmap", at(path));
    expect(statSync(path).mode & 0o777).toBe(0o606);
    await stop();
    expect(existsSync(path)).toBe(false);
  });

  it("replaces one that a killed bridge left behind", async () => {
    const path = join(temporaryFolder(), "socket");
    const { listen } = startServer();
    // Node removes the file when it closes; a hard link to it stays.
    const left = createServer();
    await new Promise<void>((resolve) => left.listen(`${path}.first`, resolve));
    linkSync(`${path}.first`, path);
    await new Promise((resolve) => left.close(resolve));
    expect(statSync(path).isSocket()).toBe(true);
    expect(await askOnce(await listen("socketmap", at(path)), ALICE)).toBe(DUNNO);
  });

  it("is left alone while another process listens on it", async () => {
    const path = join(temporaryFolder(), "socket");
    const first = startServer();
    await first.listen("socketmap", at(path));
    await expect(startServer().listen("socketmap", at(path))).rejects.toThrow(
      `cannot listen on unix:${path}: another process listens there`,
    );
    expect(await askOnce(at(path), ALICE)).toBe(DUNNO);
  });

  it("never replaces a file that is not a socket", async () => {
    const path = join(temporaryFolder(), "file");
    writeFileSync(path, "kept");
    await expect(startServer().listen("line", at(path))).rejects.toThrow(/not a socket/);
    expect(readFileSync(path, "utf8")).toBe("kept");
  });

  it("needs its folder", async () => {
    const path = join(temporaryFolder(), "none", "socket");
    await expect(startServer().listen("line", at(path))).rejects.toThrow(/the folder does not exist/);
  });

  it("and a port that is in use are named in the error", async () => {
    const address = await startServer().listen("line");
    await expect(startServer().listen("line", address)).rejects.toThrow(
      /^cannot listen on 127\.0\.0\.1:\d+: another process listens there$/,
    );
  });
});
