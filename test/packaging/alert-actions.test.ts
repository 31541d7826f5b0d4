import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { SETTING_NAMES } from "../../src/bridge/index.ts";
import { Output } from "../../src/cli/output.ts";
import type { Platform } from "../../src/cli/platform.ts";
import { addToSketch, fingerprint, newSketch } from "../../src/directory/index.ts";
import { clientOf } from "../../testing/client.ts";
import type { IsolateHost } from "../../testing/isolate-host.ts";
import { people } from "../../testing/lists.ts";
import { World } from "../../testing/world.ts";
import { useEdge } from "../cli/support/workspace.ts";
import { rollcall, type Said } from "../support/fake-platform.ts";
import { ROOT } from "../support/processes.ts";
import { type InstalledHost, installedHost } from "./support/installed.ts";

/*
 * What the alerts tell people to do, done on a host as the packages leave it: no settings in the working directory, nothing
 * in the environment, and lists where `rollcall-sync.service` keeps them.
 */

const D = "example.com";
const read = (file: string): string => readFileSync(join(ROOT, "packaging", file), "utf8");

/** The action of each alert of a file. */
const actionsOf = (file: string): Map<string, string> =>
  new Map(
    [...read(file).matchAll(/- alert: (\w+)\n[\s\S]*?action: (.+)$/gm)].map(
      ([, alert = "", action = ""]) => [alert, action] as const,
    ),
  );

const SYNC = actionsOf("prometheus/sync-alerts.yml");
const BRIDGE = actionsOf("prometheus/alerts.yml");

/** The commands of an action, with what Prometheus puts in. */
const commandsOf = (action: string | undefined): string[] =>
  [
    ...(action ?? "")
      .replaceAll("{{ $labels.domain }}", D)
      .matchAll(/`((?:rollcall|systemctl|journalctl) [^`]+)`/g),
  ].map(([, command]) => command as string);

const LISTED = people(60);

describe("the actions of the alerts of sync", () => {
  let host: InstalledHost;
  let world: World;
  let isolate: IsolateHost;
  /** Commands of the alert that the test has run. */
  let ran: Set<string>;

  const names = (list: readonly string[]): void =>
    host.write("srv/list.txt", list.map((name) => `${name}@${D}\n`).join(""));

  const inWorld = (
    args: string,
    more: { env?: Record<string, string>; answer?: string } = {},
  ): Promise<Said> =>
    rollcall(args.split(" "), {
      cwd: host.home,
      root: host.root,
      // Time passes only while the edge works: files are read in real time.
      fetch: (url, init) => world.clock.run(isolate.fetch(new Request(url, init))),
      now: () => world.clock.now(),
      ...more,
    });

  /** As rollcall-sync.service runs it, with the credential that systemd hands over. */
  const sync = async (): Promise<Said> => {
    const [, line = ""] =
      /^ExecStart=\/usr\/bin\/rollcall (.*)$/m.exec(read("systemd/rollcall-sync.service")) ?? [];
    host.write("run/credentials/token", host.read("etc/rollcall/publish-token"));
    const said = await inWorld(line.replaceAll(/ (\/etc|\/var)/g, ` ${host.root}$1`), {
      env: { CREDENTIALS_DIRECTORY: host.path("run/credentials") },
    });
    return said;
  };

  /** Runs a command of an alert as its administrator does, who answers yes. */
  const act = async (alert: string, begin: string): Promise<Said> => {
    const command = commandsOf(SYNC.get(alert)).find((each) => each.startsWith(begin));
    expect([alert, SYNC.get(alert), command]).toEqual([alert, expect.anything(), expect.any(String)]);
    ran.add(command as string);
    return inWorld((command as string).replace(/^rollcall /, ""), { answer: "y" });
  };

  const allRan = (alert: string): void =>
    expect([...ran].sort()).toEqual(
      commandsOf(SYNC.get(alert))
        .filter((command) => command.startsWith("rollcall "))
        .sort(),
    );

  beforeEach(async () => {
    ran = new Set();
    host = installedHost();
    world = new World();
    isolate = world.isolate();
    const client = clientOf(
      world.clock,
      (url, init) => isolate.fetch(new Request(url, init)),
      world.settings.adminToken ?? "",
    );
    const { token } = await world.clock.run(
      client.createToken({ role: "publish", domains: [D, "other.example"] }),
    );
    host.write("etc/rollcall/publish-token", `${token}\n`, 0o600);
    host.write(
      "etc/rollcall/rollcall.toml",
      `url = "https://edge.example"\n[domains."${D}"]\nlist = "${host.path("srv/list.txt")}"\nmode = "enforce"\n`,
    );
    names(LISTED);
    expect(await sync()).toMatchObject({ code: 0, stderr: "" });
  });

  it("RollcallSyncRefused: plan says why and who, publish overrides it", async () => {
    names(LISTED.slice(30));
    const refused = await sync();
    expect(refused).toMatchObject({ code: 4 });
    const plan = await act("RollcallSyncRefused", "rollcall plan");
    expect(plan.code).toBe(4);
    expect(plan.stdout).toMatch(/guard +refuses: it would refuse 30 of 60 names/);
    // Who leaves is known from the lists that sync has stored.
    expect(plan.stdout).toContain(`leaves     ${LISTED[0]}@${D}`);
    expect(plan.stderr).toContain(host.path("etc/rollcall/rollcall.toml"));
    expect(plan.stderr).toContain(host.path("etc/rollcall/publish-token"));
    const published = await act("RollcallSyncRefused", "rollcall publish");
    expect(published).toMatchObject({ code: 0, stdout: expect.stringContaining(`published ${D}`) });
    expect(await sync()).toMatchObject({ code: 0 });
    allRan("RollcallSyncRefused");
  });

  it("and sync itself names commands that exist, with options that they have", async () => {
    names(LISTED.slice(30));
    const { stderr } = await sync();
    const [, hint = ""] = /what to do: (.*)/.exec(stderr) ?? [];
    expect(hint).toContain(`\`rollcall publish --domain ${D} --force\``);
    const [command = ""] = commandsOf(hint);
    expect(await inWorld(command.replace(/^rollcall /, ""), { answer: "y" })).toMatchObject({ code: 0 });
  });

  it.each([
    ["kept by the setting", "zoe", "deliverable"],
    ["dropped by --drop-patched", "zoe", "departed"],
  ])("RollcallSyncRefused, for single changes: they are %s", async (how, name, verdict) => {
    expect(await inWorld(`add ${name}@${D} --yes`)).toMatchObject({ code: 0 });
    names(LISTED.slice(1));
    expect(await sync()).toMatchObject({ code: 4, stderr: expect.stringContaining("--keep-patched") });
    expect(await act("RollcallSyncRefused", "rollcall plan")).toMatchObject({
      stdout: expect.stringMatching(/patched +1 added, .*keep or drop/),
    });
    const action = SYNC.get("RollcallSyncRefused") ?? "";
    if (how.includes("setting")) {
      const [, setting = ""] = /set `(patched = .*?)`/.exec(action) ?? [];
      host.write("etc/rollcall/rollcall.toml", `${host.read("etc/rollcall/rollcall.toml")}${setting}\n`);
    } else {
      expect(action).toContain("--drop-patched");
      expect(await inWorld(`publish --domain ${D} --drop-patched --yes`)).toMatchObject({ code: 0 });
    }
    expect(await sync()).toMatchObject({ code: 0 });
    names(LISTED.slice(2));
    expect(await sync()).toMatchObject({ code: 0 });
    expect((await isolate.check(`${name}@${D}`)).verdict).toBe(verdict);
  });

  it("RollcallSyncFails: plan says what cannot be read, as the user of the service", async () => {
    host.write("srv/list.txt", "not an address at all\n");
    for (let i = 0; i < 3; i++) expect(await sync()).toMatchObject({ code: 3 });
    const plan = await act("RollcallSyncFails", "rollcall plan");
    expect(plan).toMatchObject({ code: 3, stderr: expect.stringMatching(/list\.txt:1: /) });
    expect(host.read("var/lib/rollcall/sync/status.json")).toMatch(/"attempts": 3/);
    expect(SYNC.get("RollcallSyncFails")).toContain("/var/lib/rollcall/sync/status.json");
    allRan("RollcallSyncFails");
  });

  it("RollcallSyncBrake: brake shows the names that are held, and releases them; rollback restores the list", async () => {
    const hold = async (): Promise<void> => {
      names(LISTED.slice(15));
      expect(await inWorld(`publish --domain ${D} --force --yes`)).toMatchObject({ code: 0 });
      const asked = newSketch();
      for (const name of LISTED.slice(0, 12)) addToSketch(asked, fingerprint(world.keyFor(D).names, name));
      world
        .registry()
        .core({ partition: 0, partitions: 1 })
        .brake(D, new Map([[world.lastLeavers(D), asked]]));
    };
    await hold();
    expect(await sync()).toMatchObject({ stderr: expect.stringContaining("the brake holds 15 names") });
    expect(host.read("var/lib/rollcall/sync/status.json")).toMatch(/"held": 15/);
    const shown = await act("RollcallSyncBrake", `rollcall brake ${D}`);
    expect(shown).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/15 names that left have been deferred/),
    });
    const restored = await act("RollcallSyncBrake", "rollcall rollback");
    expect(restored).toMatchObject({ code: 0, stdout: expect.stringContaining("published") });
    expect((await isolate.check(`${LISTED[0]}@${D}`)).verdict).toBe("deliverable");
    await hold();
    expect(SYNC.get("RollcallSyncBrake")).toContain("--release");
    ran.add(`rollcall brake ${D} --release`);
    const released = await inWorld(`brake ${D} --release`, { answer: "y" });
    expect(released).toMatchObject({ code: 0, stdout: expect.stringContaining("released") });
    allRan("RollcallSyncBrake");
  });

  it("RollcallDomainNotConfigured: delete takes away the domain that status.json names", async () => {
    host.write("srv/other.txt", "a@other.example\n");
    expect(await inWorld(`publish --domain other.example ${host.path("srv/other.txt")} --yes`)).toMatchObject(
      { code: 0 },
    );
    expect(await sync()).toMatchObject({ code: 0, stderr: expect.stringContaining("other.example") });
    expect(JSON.parse(host.read("var/lib/rollcall/sync/status.json")).unconfigured).toEqual([
      "other.example",
    ]);
    const command = commandsOf(SYNC.get("RollcallDomainNotConfigured")).at(0) ?? "";
    expect(SYNC.get("RollcallDomainNotConfigured")).toContain("with the admin token");
    const deleted = await inWorld(command.replace(/^rollcall /, "").replace("DOMAIN", "other.example"), {
      answer: "y",
      env: { ROLLCALL_TOKEN: world.settings.adminToken ?? "" },
    });
    expect(deleted).toMatchObject({ code: 0, stdout: expect.stringContaining("deleted other.example") });
    expect(await sync()).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(host.read("var/lib/rollcall/sync/status.json")).unconfigured).toEqual([]);
  });

  it("RollcallSyncStalled: the files and units that it names exist", () => {
    const action = SYNC.get("RollcallSyncStalled") ?? "";
    expect(action).toContain("/var/lib/rollcall/sync/status.json");
    expect(existsSync(host.path("var/lib/rollcall/sync/status.json"))).toBe(true);
    for (const [unit] of action.matchAll(/rollcall-sync\.\w+/g))
      expect(existsSync(join(ROOT, "packaging", "systemd", unit))).toBe(true);
    expect(commandsOf(action)).toContain("systemctl list-timers rollcall-sync.timer");
  });

  it("leave files that the service's user can read, also if root runs them", {
    skip: process.getuid?.() !== 0,
  }, async () => {
    const NOBODY = 65_534;
    const folder = host.path("var/lib/rollcall/sync");
    rmSync(join(folder, "lists"), { recursive: true });
    rmSync(join(folder, "published"), { recursive: true });
    chownSync(folder, NOBODY, NOBODY);
    names(LISTED.slice(1));
    expect(await inWorld(`publish --domain ${D} --yes`)).toMatchObject({ code: 0 });
    expect(await inWorld("sync")).toMatchObject({ code: 0 });
    for (const file of ["lists", `lists/${D}`, "published", `published/${D}`, "status.json"])
      expect([file, statSync(join(folder, file)).uid]).toEqual([file, NOBODY]);
  });

  it("are all tried here", () => {
    expect([...SYNC.keys()].sort()).toEqual([
      "RollcallDomainNotConfigured",
      "RollcallSyncBrake",
      "RollcallSyncFails",
      "RollcallSyncRefused",
      "RollcallSyncStalled",
    ]);
  });
});

describe("a command on a host with the package's settings", () => {
  const { edge, fresh } = useEdge();

  function mailHost(token: string): {
    host: InstalledHost;
    run(args: string, env?: Record<string, string>): Promise<Said>;
  } {
    const host = installedHost();
    host.write("etc/rollcall/rollcall.toml", `url = "${edge.url}"\n[bridge]\nsocketmap = "127.0.0.1:1"\n`);
    host.write("etc/rollcall/token", token, 0o600);
    const run = (args: string, env: Record<string, string> = {}): Promise<Said> =>
      rollcall(args.split(" "), { cwd: host.home, root: host.root, env });
    return { host, run };
  }

  it("uses them and the token, and says which files", async () => {
    const { domain, publish, run: asAdmin } = fresh();
    await publish("a b");
    const { stdout: token } = await asAdmin(`token create --role check --domain ${domain}`);
    const { host, run } = mailHost(token);
    const said = await run(`check a@${domain}`);
    expect(said).toMatchObject({ code: 0, stdout: expect.stringContaining("deliverable") });
    expect(said.stderr).toBe(
      `using the settings of ${host.path("etc/rollcall/rollcall.toml")}\nusing the token of ${host.path("etc/rollcall/token")}\n`,
    );
    expect(await run("status")).toMatchObject({ code: 0, stdout: expect.stringContaining(domain) });
    // Its own folder, its own environment and its own options come first.
    host.write("root/rollcall.toml", 'url = "http://127.0.0.1:2"\n');
    expect(await run("status")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("no token is given"),
    });
  });

  it("names pages and files by where the Debian package has them, if it is installed", () => {
    const { root, path } = installedHost();
    const text = "see docs/mta/exim.md and packaging/tmpfiles.d/rollcall-postfix.conf";
    const located = (): string => new Output({ env: {}, root } as Platform, false).located(text);
    expect(located()).toBe(text);
    const pages = path("usr/share/doc/rollcall/docs");
    mkdirSync(pages, { recursive: true });
    expect(located()).toBe(`see ${pages}/mta/exim.md and /usr/lib/tmpfiles.d/rollcall-postfix.conf`);
  });

  it("never sends the token to another edge", async () => {
    const { host, run } = mailHost("secret");
    for (const [args, env] of [
      ["status --url http://127.0.0.1:2", {}],
      ["status", { ROLLCALL_URL: "http://127.0.0.1:2" }],
    ] as const) {
      const said = await run(args, env);
      expect(said).toMatchObject({ code: 2, stderr: expect.stringContaining("no token is given") });
      expect(said.stderr).toContain(host.path("etc/rollcall/token"));
    }
  });

  it("takes secrets of sources from the package's environment file, and those of the caller first", async () => {
    const { domain, run: asAdmin } = fresh();
    const { stdout: token } = await asAdmin(`token create --role publish --domain ${domain}`);
    const { host, run } = mailHost("x");
    host.write("etc/rollcall/publish-token", token, 0o600);
    host.write(
      "etc/rollcall/rollcall.toml",
      `url = "${edge.url}"\n[sources.s]\nkind = "command"\ncommand = ["sh", "-c", "echo $LISTED@${domain}"]\n[domains."${domain}"]\nsources = ["s"]\n`,
    );
    host.write("etc/rollcall/environment", '# a comment\nLISTED="from-file"\n\n');
    expect((await run("plan")).stdout).toContain(`joins      from-file@${domain}`);
    expect((await run("plan", { LISTED: "own" })).stdout).toContain(`joins      own@${domain}`);
  });

  it("that the user may not read says to run it as root", async () => {
    const { host, run } = mailHost("x");
    rmSync(host.path("etc/rollcall/token"));
    // A folder cannot be read as a file, even by root.
    mkdirSync(host.path("etc/rollcall/token"));
    const said = await run("status");
    expect(said).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/etc\/rollcall\/token[\s\S]*as root/),
    });
  });
});

describe("the actions of the alerts of the bridge", () => {
  const { edge, fresh } = useEdge();
  /** What has to be in the output of each command, where the alert is raised. */
  const doctorBridge = async (token: string, url = edge.url): Promise<Said> => {
    const host = installedHost();
    host.write("etc/rollcall/rollcall.toml", `url = "${url}"\n[bridge]\nsocketmap = "127.0.0.1:1"\n`);
    host.write("etc/rollcall/token", token, 0o600);
    return rollcall(["doctor", "--bridge"], { cwd: host.home, root: host.root });
  };
  const everyCommand = new Map([...BRIDGE].map(([alert, action]) => [alert, commandsOf(action)]));

  it("are commands that these tests know, and each is named with what it needs", () => {
    const known = [
      "rollcall doctor --bridge",
      "rollcall doctor --url URL",
      "rollcall status",
      "rollcall token create --role check --domain DOMAIN",
      `rollcall brake ${D}`,
      `rollcall rollback ${D}`,
      `rollcall brake ${D} --release`,
      `rollcall history ${D}`,
      "journalctl -u rollcall-bridge",
      "systemctl restart rollcall-bridge",
      "rollcall replica forget",
    ];
    expect(new Set([...everyCommand.values()].flat())).toEqual(new Set(known));
    for (const [alert, action] of BRIDGE) {
      const needsAdmin = /doctor --url|token create|`rollcall status`/.test(action);
      expect([alert, needsAdmin, /admin token/.test(action)]).toEqual([alert, needsAdmin, needsAdmin]);
      const needsPublisher = /rollcall (?:brake|rollback|history)/.test(action);
      if (needsPublisher) expect(action).toContain("On the host that publishes");
      if (action.includes("doctor --bridge")) expect(action).toMatch(/on the mail host/i);
    }
  });

  it("rollcall doctor --bridge shows that the edge is away, that a token ends, and that it is refused", async () => {
    const { domain, publish, run } = fresh();
    await publish("a b");
    const make = async (more = ""): Promise<string> =>
      (await run(`token create --role check --domain ${domain}${more}`)).stdout;
    const away = await doctorBridge(await make(), "http://127.0.0.1:2");
    expect(away.stdout).toMatch(/^failed +edge +/m);
    expect((await doctorBridge(await make(" --expires 2d"))).stdout).toMatch(
      /^failed +token +the token expires on/m,
    );
    const foreign = `${(await make()).trim().slice(0, -4)}AAAA`;
    expect((await doctorBridge(foreign)).stdout).toMatch(/^failed +lists +the token is .*revoked/m);
    // Another of the same role, put into the token file.
    const good = await doctorBridge(await make());
    expect(good.stdout).toMatch(/^ok +token +does not expire/m);
    expect(good.stdout).toMatch(new RegExp(`^ok +lists +the token covers ${domain}`, "m"));
  });

  it("rollcall doctor --url URL and rollcall status work with the admin token, from anywhere", async () => {
    const host = installedHost();
    const env = { ROLLCALL_TOKEN: edge.admin };
    const at = { cwd: host.home, root: host.root, env };
    const doctor = await rollcall(["doctor", "--url", edge.url], at);
    expect(doctor).toMatchObject({ code: 0, stdout: expect.stringContaining("everything works") });
    host.write("etc/rollcall/rollcall.toml", `url = "${edge.url}"\n`);
    expect((await rollcall(["status", "--json"], at)).stdout).toMatch(/"faults": \[/);
  });

  it("rollcall history shows who publishes and what is forced, of a list that refuses nobody", async () => {
    const { domain, write, publish, run } = fresh();
    await publish("a b");
    for (const delimiters of ["+", ""]) {
      write("rollcall.toml", `[domains."${domain}"]\nlist = "list.txt"\ndelimiters = "${delimiters}"\n`);
      await run(`publish --force --yes`);
    }
    const [, until = ""] =
      /refuses nobody until (\S+ \S+)/.exec((await run(`status ${domain}`)).stdout) ?? [];
    expect(Date.parse(until.replace(" ", "T"))).toBeGreaterThan(Date.now());
    expect((await run(`history ${domain}`)).stdout).toMatch(/admin.*override/);
    await run(`mode ${domain} observe --yes`);
    expect((await run(`status ${domain}`)).stdout).toContain(`refuses nobody until ${until}`);
  });

  it("rollcall replica forget finds the replica of the package's settings", async () => {
    const host = installedHost();
    const folder = host.path("var/lib/rollcall/replica");
    host.write("etc/rollcall/rollcall.toml", `url = "${edge.url}"\n[bridge]\nreplica = "${folder}"\n`);
    const said = await rollcall(["replica", "forget", "--yes"], { cwd: host.home, root: host.root });
    expect(said).toMatchObject({
      code: 3,
      stderr: expect.stringContaining(`${folder} is no folder of a replica`),
    });
    expect(said.stderr).toContain(`using the settings of ${host.path("etc/rollcall/rollcall.toml")}`);
  });

  it("settings, events and pages that they name exist", () => {
    const text = [...BRIDGE.values()].join("\n");
    for (const name of ["max_connections", "allow_remote"] as const) {
      expect(text).toContain(name);
      expect(SETTING_NAMES).toContain(name);
    }
    expect(text).toContain("/etc/rollcall/token");
    const [, heading = "", page = ""] = /See "([^"]+)" in (\S+\.md)/.exec(text) ?? [];
    expect(readFileSync(join(ROOT, page), "utf8")).toContain(`## ${heading}\n`);
    const log =
      readFileSync(join(ROOT, "docs/bridge/service.md"), "utf8") +
      readFileSync(join(ROOT, "docs/bridge.md"), "utf8") +
      readFileSync(join(ROOT, "docs/replica.md"), "utf8");
    for (const event of ["fault", "replica-sync-failed"]) expect(log).toContain(event);
  });
});
