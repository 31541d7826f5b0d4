import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Client, netstring } from "../bridge/support/sockets.ts";
import { pause, temporaryFolder } from "../support/processes.ts";
import { BootedDebian, WITHOUT_SYSTEMD } from "./support/booted-debian.ts";
import { buildDeb, give, SERVICE, SETTINGS, TOKEN } from "./support/deb.ts";
import { DebianRoot } from "./support/debian-root.ts";
import { expectAnswersOn, type PublishedEdge, startPublishedEdge } from "./support/questions.ts";

const MINUTES = 60_000;

describe.skipIf(WITHOUT_SYSTEMD !== null)(
  `the service under systemd${WITHOUT_SYSTEMD ? ` (${WITHOUT_SYSTEMD})` : ""}`,
  () => {
    const debs = temporaryFolder();
    let root: DebianRoot;
    let debian: BootedDebian;
    let edge: PublishedEdge;

    const active = (): string => debian.property(SERVICE, "ActiveState");
    const mainPid = (): number => Number(debian.property(SERVICE, "MainPID"));
    const expectAnswersOfService = async (): Promise<void> => {
      const path = debian.path("/run/rollcall/socketmap");
      // systemd may call it active before it listens.
      while (!existsSync(path)) {
        expect(active(), debian.journal(SERVICE)).toBe("active");
        await pause(50);
      }
      await expectAnswersOn({ kind: "unix", path });
    };

    beforeAll(async () => {
      root = new DebianRoot(join(debs, "root"));
      edge = await startPublishedEdge(temporaryFolder());
      debian = await BootedDebian.start(root);
    }, 10 * MINUTES);
    afterAll(async () => {
      await debian?.stop();
      root?.remove();
      await edge?.stop();
    });

    it("is enabled by the installation, and does not start without a token", () => {
      debian.run("dpkg", "-i", give(root, buildDeb(debs)));
      expect(debian.property(SERVICE, "UnitFileState")).toBe("enabled");
      expect(debian.property(SERVICE, "ConditionResult")).toBe("no");
      expect(active()).toBe("inactive");
      expect(debian.property(SERVICE, "Result")).toBe("success");
    });

    it("answers a mail server once it has settings and a token, as its own user", async () => {
      const settings = debian.path(SETTINGS);
      writeFileSync(
        settings,
        readFileSync(settings, "utf8")
          .replace(/^# url = .*$/m, `url = "${edge.url}"`)
          .replace(/^socketmap = .*$/m, 'socketmap = "unix:/run/rollcall/socketmap"')
          .replace(/^metrics = .*\n/m, ""),
      );
      copyFileSync(edge.checkToken, debian.path(TOKEN));
      debian.run("chmod", "0600", TOKEN);
      debian.run("systemctl", "restart", SERVICE);
      expect(active()).toBe("active");
      await expectAnswersOfService();
      expect(debian.run("stat", "-c", "%U", `/proc/${mainPid()}`)).toBe("rollcall\n");
      // systemd hands it the token: it cannot read the file.
      expect(debian.run("stat", "-c", "%U %a", TOKEN)).toBe("root 600\n");
    });

    it("is replaced by an upgrade, without closing a connection", async () => {
      const before = mainPid();
      const client = await Client.connect({ kind: "unix", path: debian.path("/run/rollcall/socketmap") });
      const question = netstring("recipients alice@example.org");
      const answer = netstring("OK deliverable");
      expect(await client.send(question).told(/,$/)).toBe(answer);
      debian.run("dpkg", "-i", give(root, buildDeb(debs, { revision: "2" })));
      while (mainPid() === before || debian.property(SERVICE, "SubState") !== "running") {
        expect(active(), debian.journal(SERVICE)).toMatch(/active|reloading/);
        await pause(100);
      }
      await until(() => !debian.isRunning(before));
      expect(await client.send(question).told(/,.*,$/)).toBe(`${answer}${answer}`);
      client.leave();
      await expectAnswersOfService();
      expect(debian.property(SERVICE, "NRestarts")).toBe("0");
    });

    it("continues after an upgrade that cannot start, for example because of a fault in the settings", async () => {
      const before = mainPid();
      const settings = debian.path(SETTINGS);
      const right = readFileSync(settings, "utf8");
      writeFileSync(settings, `${right}sockmap = "127.0.0.1:10023"\n`);
      debian.run("dpkg", "-i", give(root, buildDeb(debs, { revision: "2+fault" })));
      await until(() => debian.journal(SERVICE).includes('"event":"replace-failed"'));
      expect([active(), mainPid()]).toEqual(["active", before]);
      await expectAnswersOfService();
      writeFileSync(settings, right);
    });

    it("reads its settings again on a reload, and reports to systemd that it is alive", () => {
      const before = mainPid();
      const settings = debian.path(SETTINGS);
      writeFileSync(
        settings,
        readFileSync(settings, "utf8").replace(/^# line = .*$/m, 'line = "unix:/run/rollcall/line"'),
      );
      debian.run("systemctl", "reload", SERVICE);
      expect(existsSync(debian.path("/run/rollcall/line"))).toBe(true);
      expect(mainPid()).toBe(before);
      expect(debian.property(SERVICE, "StatusText")).toContain("/run/rollcall/line");
      expect(Number(debian.property(SERVICE, "WatchdogTimestampMonotonic"))).toBeGreaterThan(0);
    });

    it("holds a replica in its own folder, and an upgrade hands that over too", async () => {
      const settings = debian.path(SETTINGS);
      const folder = "/var/lib/rollcall/replica";
      writeFileSync(settings, `${readFileSync(settings, "utf8")}replica = "${folder}"\n`);
      copyFileSync(edge.replicaToken, debian.path(TOKEN));
      debian.run("systemctl", "restart", SERVICE);
      await expectAnswersOfService();
      await until(() => existsSync(debian.path(`${folder}/format`)));
      expect(debian.run("stat", "-c", "%U %a", "/var/lib/rollcall", folder)).toBe(
        "rollcall 700\nrollcall 700\n",
      );
      const before = mainPid();
      debian.run("dpkg", "-i", give(root, buildDeb(debs, { revision: "3" })));
      await until(() => mainPid() !== before && !debian.isRunning(before));
      await expectAnswersOfService();
      expect(debian.property(SERVICE, "NRestarts")).toBe("0");
    });

    it("is started again by systemd if it hangs", async () => {
      const quick = "[Service]\nWatchdogSec=1\nTimeoutAbortSec=1\n";
      mkdirSync(debian.path(`/etc/systemd/system/${SERVICE}.d`), { recursive: true });
      const dropIn = debian.path(`/etc/systemd/system/${SERVICE}.d/quick.conf`);
      writeFileSync(dropIn, quick);
      debian.run("systemctl", "daemon-reload");
      debian.run("systemctl", "restart", SERVICE);
      await expectAnswersOfService();
      const before = mainPid();
      debian.run("sh", "-c", `kill -STOP ${before}`);
      await until(() => debian.property(SERVICE, "NRestarts") === "1" && active() === "active");
      expect(mainPid()).not.toBe(before);
      await expectAnswersOfService();
      rmSync(dropIn);
      debian.run("systemctl", "daemon-reload");
    });

    it("stays stopped if the administrator disabled it, whatever is upgraded", () => {
      debian.run("systemctl", "disable", "--now", SERVICE);
      debian.run("dpkg", "-i", give(root, buildDeb(debs, { revision: "4" })));
      expect(debian.property(SERVICE, "UnitFileState")).toBe("disabled");
      expect(active()).toBe("inactive");
    });

    it("is stopped by the removal of the package", () => {
      debian.run("systemctl", "enable", "--now", SERVICE);
      expect(active()).toBe("active");
      debian.run("dpkg", "--purge", "rollcall");
      expect(active()).toBe("inactive");
      expect(debian.property(SERVICE, "LoadState")).toBe("not-found");
    });
  },
);

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await pause(50);
}
