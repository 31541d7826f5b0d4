import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../../testing/ports.ts";
import { type EdgeFront, startEdgeFront } from "../conformance/faults/edge-front.ts";
import { Cleanup } from "./support/cleanup.ts";
import { type Bridge, Command, folder, ROOT, startBridge } from "./support/command.ts";
import { page, type Way } from "./support/pages.ts";
import { startPolicyService } from "./support/policy-service.ts";
import { type Postfix, type PostfixOptions, startPostfix, WITHOUT_POSTFIX } from "./support/postfix.ts";
import { codesOf, SmtpSession } from "./support/smtp-client.ts";
import { pause } from "./support/waiting.ts";

/*
 * What Postfix does before it looks a recipient up: postscreen, other policy services; and unix sockets in a chroot.
 */

const KNOWN = "<known@example.com>";
const UNKNOWN = "<nobody@example.com>";

const fileOf = (name: string): string => readFileSync(join(ROOT, "integrations", "postfix", name), "utf8");

/** What a stranger sees in one session. */
async function ask(port: number, ...recipients: string[]): Promise<string[]> {
  const session = await SmtpSession.open({ port, sender: "someone@elsewhere.example" });
  const seen: string[] = [];
  for (const recipient of recipients) seen.push(codesOf(await session.rcpt(recipient)));
  await session.quit();
  return seen;
}

describe.skipIf(WITHOUT_POSTFIX !== null)(
  `the order of Postfix's checks${WITHOUT_POSTFIX ? ` (${WITHOUT_POSTFIX})` : ""}`,
  () => {
    const cleanup = new Cleanup();
    let front: EdgeFront;
    let bridge: Bridge;
    let metrics = 0;

    beforeAll(async () => {
      front = await startEdgeFront(cleanup);
      metrics = await freePort();
      bridge = await startBridge(front, cleanup, ["--metrics", `127.0.0.1:${metrics}`]);
    });
    afterAll(() => cleanup.run());

    /** How many questions the bridge has had. */
    async function asked(): Promise<number> {
      const text = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
      const counts = [...text.matchAll(/^rollcall_bridge_lookups_total\{.*\} (\d+)$/gm)];
      return counts.reduce((sum, [, count]) => sum + Number(count), 0);
    }

    function start(
      name: string,
      more: string,
      options: Partial<PostfixOptions> = {},
      way: Way = "relay-recipient-maps",
    ): Promise<Postfix> {
      const { socketmap, policy } = bridge;
      const main = `${page(way, { socketmap, policy, backend: 9 })}\n${more}`;
      return startPostfix({ name: `${name}.example.org`, main, ...options }, cleanup);
    }

    it("asks a greylister only about recipients that exist, with the lines of greylisting.cf", async () => {
      const greylister = await startPolicyService("450 4.2.0 greylisted", cleanup);
      const lines = fileOf("greylisting.cf").replaceAll("127.0.0.1:10030", `127.0.0.1:${greylister.port}`);
      const { port } = await start("greylisting", lines);
      expect(await ask(port, UNKNOWN, KNOWN)).toEqual(["550 5.1.1", "450 4.2.0"]);
      expect(greylister.asked).toEqual(["known@example.com"]);
    });

    it("lets a greylister hide the refusal without reject_unlisted_recipient before it", async () => {
      const greylister = await startPolicyService("450 4.2.0 greylisted", cleanup);
      const lines = fileOf("greylisting.cf")
        .replaceAll("127.0.0.1:10030", `127.0.0.1:${greylister.port}`)
        .replace("    reject_unlisted_recipient\n", "");
      const { port } = await start("hidden", lines);
      expect(await ask(port, UNKNOWN)).toEqual(["450 4.2.0"]);
      expect(greylister.asked).toEqual(["nobody@example.com"]);
    });

    it("lets a greylister hide it with DEFER_IF_PERMIT, too", async () => {
      const greylister = await startPolicyService("DEFER_IF_PERMIT greylisted", cleanup);
      const lines = fileOf("greylisting.cf")
        .replaceAll("127.0.0.1:10030", `127.0.0.1:${greylister.port}`)
        .replace("    reject_unlisted_recipient\n", "");
      const { port } = await start("postgrey", lines);
      expect(await ask(port, UNKNOWN, KNOWN)).toEqual(["450 4.7.1", "450 4.7.1"]);
      expect(greylister.asked).toHaveLength(2);
    });

    it("does not look up what postscreen stops", async () => {
      const port = await freePort();
      const postfix = await start("postscreen", `${fileOf("postscreen.cf")}\npostscreen_greet_wait = 2s\n`, {
        port,
        master: (text) => {
          const [first, ...rest] = fileOf("postscreen.master.cf")
            .split("\n")
            .filter((line) => line !== "" && !line.startsWith("#"))
            // The chroot of this Postfix is empty.
            .map((line) => line.replace(/(\S+\s+\S+\s+\S+\s+\S+\s+)y/, "$1n"));
          const own = (first as string).replace(/^smtp /, `127.0.0.1:${port} `);
          return text.replace(/^.* smtpd$/m, [own, ...rest].join("\n"));
        },
      });
      const before = await asked();
      // The client of `startPostfix` that waited for the greeting was new; so is this one until a session passed.
      expect(await ask(port, KNOWN, UNKNOWN)).toEqual(["450 4.3.2", "450 4.3.2"]);
      expect(await asked()).toBe(before);
      await pause(100);
      expect(await ask(port, KNOWN, UNKNOWN)).toEqual(["250 2.1.5", "550 5.1.1"]);
      expect(await asked()).toBe(before + 2);
      expect(postfix.log()).toMatch(/postscreen\[\d+\]: PASS NEW/);
    });

    describe.each([
      ["rollcall", "n"],
      ["rollcall", "y"],
      ["private", "y"],
    ])("over unix sockets in %s/ (chroot: %s)", (place, chroot) => {
      it("asks the table and the policy service", async () => {
        const lines = fileOf("unix-sockets.cf").replaceAll("rollcall/", `${place}/`);
        const master = (text: string): string =>
          text.replace(/^(\S+ inet n - )n( - - smtpd)$/m, `$1${chroot}$2`);
        const postfix = await start(`unix-${place}-${chroot}`, lines, { master }, "policy-service");
        const queue = join(postfix.folder, "queue");
        const socket = (name: string): string => `unix:${join(queue, place, name)}`;
        if (place === "rollcall") {
          // As packaging/tmpfiles.d/rollcall-postfix.conf: sockets get the folder's group.
          const gid = Number(execFileSync("id", ["-g", "postfix"], { encoding: "utf8" }));
          mkdirSync(join(queue, place));
          chownSync(join(queue, place), 0, gid);
          chmodSync(join(queue, place), 0o2750);
        }
        // private/ belongs to postfix, and nobody else may enter it.
        const mode = place === "private" ? ["--socket-mode", "0666"] : [];
        const own = new Command(
          ["bridge", "--socketmap", socket("socketmap"), "--policy", socket("policy"), ...mode],
          folder(cleanup),
          { ROLLCALL_URL: front.url, ROLLCALL_TOKEN: front.checkToken },
        );
        cleanup.add(() => own.stop());
        await own.saying(/\bready\b/);
        expect(await ask(postfix.port, KNOWN, UNKNOWN)).toEqual(["250 2.1.5", "550 5.1.1"]);
        expect(postfix.log()).not.toMatch(/warning: (?!.*overriding earlier entry).*(?:socketmap|policy)/);
        await own.stop();
        // What the page of the policy service says for it.
        expect(await ask(postfix.port, "<known.later@example.com>")).toEqual(["451 4.3.0"]);
        expect(postfix.log()).toMatch(/rollcall\/policy|private\/policy/);
      });
    });
  },
);
