import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installSendmail } from "../../integrations/sendmail/rig.ts";
import { freePort } from "../../testing/ports.ts";
import { Cleanup } from "./support/cleanup.ts";
import { Command, type Edge, folder, startEdge } from "./support/command.ts";
import { installExim, WITHOUT_OTHERS } from "./support/other-servers.ts";

/*
 * `rollcall doctor --bridge` beside a real Exim (`exim -bt`) and a real Sendmail (`sendmail -bt`).
 */

const cleanup = new Cleanup();

describe.skipIf(WITHOUT_OTHERS !== null)(
  `rollcall doctor --bridge beside Exim and Sendmail${WITHOUT_OTHERS ? ` (${WITHOUT_OTHERS})` : ""}`,
  () => {
    let edge: Edge;
    let home = "";
    let bridge: Command;

    async function startBridge(): Promise<void> {
      bridge = new Command(["bridge", "--token-file", "token"], home);
      await bridge.saying(/\bready\b/);
    }

    /** What the step `mail-server` says. @param commands the folder with the mail server's commands */
    async function mailServer(
      commands: string,
    ): Promise<{ state: string; detail: string; hint: string | null }> {
      const command = new Command(["doctor", "--bridge", "--token-file", "token", "--json"], home, {
        PATH: commands,
      });
      await command.ended;
      const { steps } = JSON.parse(command.stdout) as {
        steps: { step: string; state: string; detail: string; hint: string | null }[];
      };
      return steps.find(({ step }) => step === "mail-server") as (typeof steps)[number];
    }

    beforeAll(async () => {
      edge = await startEdge(cleanup);
      await edge.publish("example.com", ["alice@example.com,active", "postmaster@example.com,active"]);
      home = folder(cleanup);
      const [line, socketmap] = [await freePort(), await freePort()];
      writeFileSync(join(home, "token"), edge.checkToken, { mode: 0o600 });
      writeFileSync(
        join(home, "rollcall.toml"),
        `url = "${edge.url}"\n[bridge]\nline = "127.0.0.1:${line}"\nsocketmap = "127.0.0.1:${socketmap}"\n`,
      );
      for (const name of ["exim", "sendmail", "none"]) mkdirSync(join(home, name));
      installExim(join(home, "exim"), line);
      const installed = installSendmail(folder(cleanup), `inet:${socketmap}@127.0.0.1`, ["example.com"], 25);
      installed.writeProgram(join(home, "sendmail", "sendmail"), "/usr/libexec/sendmail/sendmail");
      await startBridge();
      cleanup.add(() => bridge.stop());
    });
    afterAll(() => cleanup.run());

    it("says what exim -bt says: the route if the bridge accepts the postmaster", async () => {
      expect(await mailServer(join(home, "exim"))).toMatchObject({
        state: "ok",
        detail: expect.stringMatching(/^Exim: postmaster@example\.com router = relay, transport = smtp/),
      });
      await bridge.stop();
      const away = await mailServer(join(home, "exim"));
      await startBridge();
      expect(away).toMatchObject({
        state: "failed",
        detail: expect.stringMatching(
          /^exim4 -bt postmaster@[\w.]+: postmaster@[\w.]+ cannot be resolved at this time/,
        ),
        hint: expect.stringContaining("exim -d -bt"),
      });
    });

    it("says what Sendmail's ruleset check_rcpt returns for the postmaster", async () => {
      expect(await mailServer(join(home, "sendmail"))).toMatchObject({
        state: "ok",
        detail: "Sendmail: check_rcpt: postmaster < @ example . com >",
      });
      await bridge.stop();
      const away = await mailServer(join(home, "sendmail"));
      await startBridge();
      expect(away).toMatchObject({
        state: "failed",
        detail: expect.stringMatching(/check_rcpt <postmaster@example\.com>: \$# error .*4 ?\. ?3 ?\. ?0/),
        hint: expect.stringContaining("sendmail.cf"),
      });
    });

    it("skips the mail server where there is none that it knows", async () => {
      expect(await mailServer(join(home, "none"))).toMatchObject({
        state: "skipped",
        detail: expect.stringMatching(/^no Postfix, Exim or Sendmail on this host/),
      });
    });
  },
);
