import { execFileSync, spawnSync } from "node:child_process";
import {
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { environment, ROOT, Running, startCli, temporaryFolder } from "../support/processes.ts";
import { debianArchive, WITHOUT_DEBIAN, whatIsMissing } from "./support/debian-root.ts";
import { expectAnswersOn, type PublishedEdge, startPublishedEdge } from "./support/questions.ts";

const MINUTES = 60_000;
const WITHOUT_BUILDAH = WITHOUT_DEBIAN ?? whatIsMissing(["buildah", "npm"]);
const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };

/** The present limit as an option for buildah. @param letter of `ulimit` */
function ulimit(letter: string): string {
  const value = execFileSync("bash", ["-c", `ulimit -H${letter}`], { encoding: "utf8" }).trim();
  return `${letter === "n" ? "nofile" : "nproc"}=${value}:${value}`;
}

/** The settings in compose.yml. */
function bridgeSettings(): string {
  const compose = readFileSync(join(ROOT, "packaging/container/compose.yml"), "utf8");
  const [, indented = ""] = /^ {4}content: \|\n((?: {6}.*\n)+)/m.exec(compose) ?? [];
  return indented.replaceAll(/^ {6}/gm, "");
}

it("the command of the Containerfile is a bridge that answers with the settings of compose.yml", async () => {
  const home = temporaryFolder();
  const edge = await startPublishedEdge(home);
  const text = readFileSync(join(ROOT, "packaging/container/Containerfile"), "utf8");
  const command = JSON.parse(/^CMD (\[.*\])$/m.exec(text)?.[1] ?? "null") as string[];
  const settings = join(home, "rollcall.toml");
  const places: Readonly<Record<string, string>> = {
    "/etc/rollcall/rollcall.toml": settings,
    "/run/secrets/rollcall-token": edge.checkToken,
    "127.0.0.1:10026": "127.0.0.1:0",
  };
  const written = bridgeSettings().replace(/^url = .*$/m, `url = "${edge.url}"`);
  writeFileSync(settings, written.replaceAll("/run/rollcall/", `${home}/`));
  const bridge = startCli(
    command.map((word) => places[word] ?? word),
    { home },
  );
  await bridge.saying(/^socketmap on unix:[\s\S]*\bready\b/m);
  await expectAnswersOn({ kind: "unix", path: join(home, "socketmap") });
  expect(await bridge.stop()).toMatchObject({ code: 0 });
  await edge.stop();
});

/** What an image says about how it is run. */
interface ImageConfig {
  readonly User: string;
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly Healthcheck: { readonly Test: readonly string[] };
}

describe.skipIf(WITHOUT_BUILDAH !== null)(
  `the container${WITHOUT_BUILDAH ? ` (${WITHOUT_BUILDAH})` : ""}`,
  () => {
    // Outside the folders that vitest removes, which would need the rights of the storage.
    const store = mkdtempSync(join(tmpdir(), "rollcall-images-"));
    const home = temporaryFolder();
    const settings = [
      ...["--root", join(store, "root"), "--runroot", join(store, "run"), "--storage-driver", "overlay"],
    ];
    const root = join(store, "rootfs");
    const sockets = join(home, "sockets");
    let edge: PublishedEdge;
    let config: ImageConfig;

    /** @throws with its output */
    const buildah = (...args: string[]): string => {
      const { status, stdout, stderr } = spawnSync("buildah", [...settings, ...args], { encoding: "utf8" });
      if (status !== 0) throw new Error(`buildah ${args.join(" ")}: exit ${status}\n${stdout}${stderr}`);
      return stdout.trim();
    };

    /** An image from another one, or from nothing, with files added. */
    const image = (name: string, from: string, ...files: [from: string, to: string][]): void => {
      const container = buildah("from", from);
      for (const [file, to] of files) buildah("add", "--quiet", container, file, to);
      buildah("commit", "--quiet", container, name);
      buildah("rm", container);
    };

    beforeAll(async () => {
      // The images that the Containerfile starts from are not needed: a clean Debian, and the same with npm.
      const npm = join(realpathSync(execFileSync("which", ["npm"], { encoding: "utf8" }).trim()), "../..");
      image("localhost/debian", "scratch", [debianArchive(), "/"]);
      image(
        "localhost/node",
        "localhost/debian",
        [join(ROOT, "node_modules/node/bin/node"), "/usr/local/bin/node"],
        [npm, "/usr/local/lib/node_modules/npm"],
        [npmStarter(), "/usr/local/bin/npm"],
      );
      const cache = execFileSync("npm", ["config", "get", "cache"], { encoding: "utf8" }).trim();
      mkdirSync(cache, { recursive: true });
      buildah(
        ...["build", "--isolation", "chroot", "--format", "docker", "--tag", "rollcall"],
        ...["--build-arg", "BUILD=localhost/node", "--build-arg", "BASE=localhost/debian"],
        ...["--volume", `${cache}:/root/.npm`],
        // It would raise the limits, which a container that runs this test may not.
        ...["n", "u"].flatMap((limit) => ["--ulimit", ulimit(limit)]),
        ...["--file", join(ROOT, "packaging/container/Containerfile"), ROOT],
      );
      config = (
        JSON.parse(buildah("inspect", "--type", "image", "rollcall")) as { Docker: { config: ImageConfig } }
      ).Docker.config;
      const container = buildah("from", "rollcall");
      execFileSync("cp", ["-a", `${buildah("mount", container)}/.`, root]);
      edge = await startPublishedEdge(home);
      give("/etc/rollcall/rollcall.toml", bridgeSettings().replace(/^url = .*$/m, `url = "${edge.url}"`));
      give("/run/secrets/rollcall-token", readFileSync(edge.checkToken, "utf8"));
      mkdirSync(sockets);
      const [uid = "", gid = ""] = config.User.split(":");
      chownSync(sockets, Number(uid), Number(gid));
    }, 10 * MINUTES);
    afterAll(async () => {
      await edge?.stop();
      spawnSync("buildah", [...settings, "umount", "--all"]);
      spawnSync("buildah", [...settings, "rm", "--all"]);
      rmSync(store, { recursive: true, force: true });
    });

    /** A file that an engine mounts into the container. */
    function give(path: string, text: string): void {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }

    /** A file that starts npm, which is a link elsewhere. */
    function npmStarter(): string {
      const file = join(home, "npm");
      writeFileSync(file, '#!/bin/sh\nexec node /usr/local/lib/node_modules/npm/bin/npm-cli.js "$@"\n', {
        mode: 0o755,
      });
      return file;
    }

    /**
     * Runs a command in the image as its user, without capabilities, and with a root that nobody can write, as
     * `--read-only --cap-drop all` does. Prints and signals are its own.
     * @param network "host", or "none" for a network of its own with nothing but loopback
     */
    const start = (network: "host" | "none", ...command: readonly string[]): Running => {
      const loopback = network === "none" ? "ip link set lo up &&" : "";
      const script = `${loopback} mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && mount --bind "$2" "$1/run/rollcall" && shift 2 && exec "$@"`;
      const unshare = network === "none" ? ["--mount", "--net"] : ["--mount"];
      return new Running(
        "unshare",
        [...unshare, "sh", "-c", script, "sh", root, sockets, ...inside(command)],
        {
          env: ENVIRONMENT,
        },
      );
    };
    const inside = (command: readonly string[]): string[] => {
      const [uid, gid] = config.User.split(":");
      return [
        ...["chroot", root, "setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"],
        ...["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"],
        ...command,
      ];
    };

    it("contains the command and Node, and no sources or packages of npm", async () => {
      expect((await start("host", ...config.Entrypoint, "--version").ended).stdout).toBe(`${version}\n`);
      const names = ["*rollcall*", "wrangler", "miniflare", "workerd", "pino", "commander"];
      const search = names.flatMap((name) => ["-o", "-name", name]).slice(1);
      const files = execFileSync("find", [root, ...search], { encoding: "utf8" });
      const paths = files
        .trim()
        .split("\n")
        .map((file) => file.slice(root.length));
      expect(paths.sort()).toEqual([
        "/etc/rollcall",
        "/etc/rollcall/rollcall.toml",
        "/run/rollcall",
        "/run/secrets/rollcall-token",
        "/usr/lib/rollcall",
        "/usr/lib/rollcall/rollcall.mjs",
        "/usr/local/bin/rollcall",
        "/var/lib/rollcall",
      ]);
    });

    it("runs as a user without rights, who cannot write to its root", async () => {
      expect(config.User).toMatch(/^[1-9]\d{3,}:[1-9]\d{3,}$/);
      const script = "id -u; touch /usr/lib/rollcall/x; touch /tmp/x; touch /run/rollcall/x && echo written";
      const { stdout, stderr } = await start("host", "sh", "-c", script).ended;
      expect(stdout).toBe(`${config.User.split(":")[0]}\nwritten\n`);
      expect(stderr.match(/Read-only file system/g)).toHaveLength(2);
    });

    it("answers a mail server that shares the volume of its socket", async () => {
      const bridge = start("host", ...config.Entrypoint, "bridge", ...config.Cmd.slice(1, 5));
      await bridge.saying(/^socketmap on unix:\/run\/rollcall\/socketmap$[\s\S]*\bready\b/m);
      await expectAnswersOn({ kind: "unix", path: join(sockets, "socketmap") });
      expect(await bridge.stop()).toMatchObject({ code: 0 });
    });

    it("is healthy while it runs, even if the edge is away", async () => {
      const [kind, ...check] = config.Healthcheck.Test;
      expect(kind).toBe("CMD");
      const bridge = start("none", ...config.Entrypoint, ...config.Cmd);
      await bridge.saying(/^metrics on 127\.0\.0\.1:10026$[\s\S]*\bready\b/m);
      const health = (): number | null =>
        spawnSync("nsenter", [`--target=${bridge.child.pid}`, "--net", "--mount", ...inside(check)], {
          env: ENVIRONMENT,
        }).status;
      expect(health()).toBe(0);
      bridge.child.kill("SIGSTOP");
      const hung = spawnSync(
        "timeout",
        ["3", "nsenter", `--target=${bridge.child.pid}`, "--net", "--mount", ...inside(check)],
        {
          env: ENVIRONMENT,
        },
      );
      // The health check has a time limit: the container's engine ends it then.
      expect(hung.status).not.toBe(0);
      bridge.child.kill("SIGCONT");
      expect(await bridge.stop()).toMatchObject({ code: 0 });
    });
  },
);

const ENVIRONMENT = { ...environment("/nonexistent"), PATH: "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };
