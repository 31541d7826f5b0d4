import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pause, temporaryFolder } from "../support/processes.ts";
import { BootedDebian, WITHOUT_SYSTEMD } from "./support/booted-debian.ts";
import { buildDeb, give, SERVICE, SETTINGS, TOKEN } from "./support/deb.ts";
import { DebianRoot } from "./support/debian-root.ts";
import { expectAnswersOn, type PublishedEdge, startPublishedEdge } from "./support/questions.ts";

const MINUTES = 60_000;

describe.skipIf(WITHOUT_SYSTEMD !== null)(
  `the service under systemd${WITHOUT_SYSTEMD ? ` (${WITHOUT_SYSTEMD})` : ""}`,
  () => {
    const folder = temporaryFolder();
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
      root = new DebianRoot(join(folder, "root"));
      edge = await startPublishedEdge(temporaryFolder());
      debian = await BootedDebian.start(root);
    }, 10 * MINUTES);
    afterAll(async () => {
      await debian?.stop();
      root?.remove();
      await edge?.stop();
    });

    it("is enabled by the installation, and does not start without a token", () => {
      debian.run("dpkg", "-i", give(root, buildDeb(folder)));
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

    it("is restarted by an upgrade, and answers again", async () => {
      const before = mainPid();
      debian.run("dpkg", "-i", give(root, buildDeb(folder, { revision: "2" })));
      expect(active()).toBe("active");
      expect(mainPid()).not.toBe(before);
      await expectAnswersOfService();
    });

    it("stays stopped if the administrator disabled it, whatever is upgraded", () => {
      debian.run("systemctl", "disable", "--now", SERVICE);
      debian.run("dpkg", "-i", give(root, buildDeb(folder, { revision: "3" })));
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
