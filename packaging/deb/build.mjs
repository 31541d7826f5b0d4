// @ts-check
// Builds rollcall_VERSION_all.deb from dist/ with dpkg-deb. It needs no root, and the same commit gives the same bytes.
//
//   node packaging/deb/build.mjs [--revision N] [--output FOLDER]
//
// DEBFULLNAME and DEBEMAIL name the maintainer, as for Debian's own tools.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { packagedPage } from "../pages.mjs";
import { changelog, control, copyright } from "./control.mjs";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const { values } = parseArgs({
  options: { revision: { type: "string", default: "1" }, output: { type: "string", default: "dist/deb" } },
});
const { version: upstream } = JSON.parse(read("package.json"));
const version = `${upstream}-${values.revision}`;
const epoch = process.env.SOURCE_DATE_EPOCH ?? dateOfCommit();

const stage = mkdtempSync(join(tmpdir(), "rollcall-deb-"));
try {
  const units = putAll("packaging/systemd", "usr/lib/systemd/system");
  put(
    "usr/lib/rollcall/rollcall.mjs",
    read("dist/cli/rollcall.mjs").replace(/^#!.*/, "#!/usr/bin/node"),
    0o755,
  );
  // For editors; `rollcall init` and /etc/rollcall/rollcall.toml name it.
  put("usr/lib/rollcall/rollcall.schema.json", read("dist/cli/rollcall.schema.json"));
  link("usr/bin/rollcall", "../lib/rollcall/rollcall.mjs");
  // OpenSMTPD's tables of the type `rollcall`.
  put(
    "usr/lib/rollcall/opensmtpd-table.mjs",
    read("dist/cli/opensmtpd-table.mjs").replace(/^#!.*/, "#!/usr/bin/node --max-semi-space-size=1"),
    0o755,
  );
  link("usr/libexec/opensmtpd/table-rollcall", "../../lib/rollcall/opensmtpd-table.mjs");
  for (const name of ["rollcall.1", "rollcall-bridge.1"])
    putZipped(`usr/share/man/man1/${name}`, read(`dist/man/${name}`));
  put("usr/share/bash-completion/completions/rollcall", read("dist/completion/rollcall.bash"));
  put("usr/share/zsh/vendor-completions/_rollcall", read("dist/completion/_rollcall"));
  put("usr/share/fish/vendor_completions.d/rollcall.fish", read("dist/completion/rollcall.fish"));
  const sysusers = putAll("packaging/sysusers.d", "usr/lib/sysusers.d");
  const tmpfiles = putAll("packaging/tmpfiles.d", "usr/lib/tmpfiles.d");
  const conffiles = putAll("packaging/etc", "etc/rollcall").map((name) => `/etc/rollcall/${name}`);

  const doc = "usr/share/doc/rollcall";
  put(`${doc}/copyright`, copyright(read("LICENSE"), read("dist/cli/LICENCES.txt")));
  putZipped(`${doc}/changelog`, read("CHANGELOG.md"));
  putZipped(`${doc}/changelog.Debian`, changelog(version, Number(epoch)));
  for (const part of ["prometheus", "grafana"]) putAll(`packaging/${part}`, `${doc}/examples/${part}`);
  for (const part of [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs",
    "examples/sync.sh",
    "examples/changes.sh",
    "examples/smtp-front-end.mjs",
  ])
    cpSync(join(root, part), join(stage, doc, part), { recursive: true });
  // The files to paste, to which the pages link, without what only the tests run.
  cpSync(join(root, "integrations"), join(stage, doc, "integrations"), {
    recursive: true,
    filter: (path) => !/\.m?ts$|\/(?:email-workers|node_modules|package-lock\.json|LICENSE)$/.test(path),
  });

  for (const page of readdirSync(join(stage, doc), { recursive: true, encoding: "utf8" })) {
    if (page.endsWith(".md"))
      put(
        join(doc, page),
        packagedPage(read(page), page, (path) => placeOf(path, doc)),
      );
  }

  put("usr/share/lintian/overrides/rollcall", read("packaging/deb/lintian-overrides"));

  put("DEBIAN/conffiles", conffiles.map((path) => `${path}\n`).join(""));
  /** @type {Record<string, string>} */
  const words = {
    "@SYSUSERS@": sysusers.join(" "),
    "@TMPFILES@": tmpfiles.join(" "),
    "@UNITS@": units.join(" "),
  };
  for (const name of ["postinst", "prerm", "postrm"]) {
    const script = read(`packaging/deb/${name}`).replaceAll(/@[A-Z]+@/g, (word) => words[word] ?? word);
    put(`DEBIAN/${name}`, script, 0o755);
  }
  const files = readdirSync(stage, { recursive: true, encoding: "utf8" }).filter(
    (path) => !path.startsWith("DEBIAN"),
  );
  const sizes = files.map((path) => lstatSync(join(stage, path))).filter((it) => it.isFile());
  put("DEBIAN/control", control(version, Math.ceil(sizes.reduce((sum, { size }) => sum + size, 0) / 1024)));
  put(
    "DEBIAN/md5sums",
    md5sums(files.filter((path) => lstatSync(join(stage, path)).isFile() && !path.startsWith("etc/"))),
  );
  normalise(stage);

  const output = resolve(root, values.output);
  mkdirSync(output, { recursive: true });
  const deb = join(output, `rollcall_${version}_all.deb`);
  execFileSync("dpkg-deb", ["--root-owner-group", "-Zxz", "--build", stage, deb], {
    env: { ...process.env, SOURCE_DATE_EPOCH: epoch },
    stdio: ["ignore", "ignore", "inherit"],
  });
  console.log(deb);
} finally {
  rmSync(stage, { recursive: true, force: true });
}

/** Where a file of the source tree is in the package; null if it is not there. @param {string} path @param {string} doc */
function placeOf(path, doc) {
  if (existsSync(join(stage, doc, path))) return path;
  const name = basename(path);
  const elsewhere = [
    [/^packaging\/systemd\//, `usr/lib/systemd/system/${name}`],
    [/^packaging\/tmpfiles\.d\//, `usr/lib/tmpfiles.d/${name}`],
    [/^packaging\/(?:prometheus|grafana)\//, `${doc}/examples/${path.replace("packaging/", "")}`],
  ];
  const found = elsewhere.find(([pattern]) => /** @type {RegExp} */ (pattern).test(path))?.[1];
  return found !== undefined && existsSync(join(stage, /** @type {string} */ (found))) ? `/${found}` : null;
}

/** @param {string} path */
function read(path) {
  const file = join(root, path);
  if (!existsSync(file)) {
    console.error(`error: ${path} is missing\nwhat to do: build it with \`npm run build\``);
    process.exit(1);
  }
  return readFileSync(file, "utf8");
}

/** @param {string} path @param {string | Uint8Array} contents */
function put(path, contents, mode = 0o644) {
  const file = join(stage, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, contents, { mode });
}

/** @param {string} path @param {string} text */
function putZipped(path, text) {
  put(`${path}.gz`, gzipSync(text, { level: 9 }));
}

/** @param {string} path @param {string} target */
function link(path, target) {
  mkdirSync(dirname(join(stage, path)), { recursive: true });
  symlinkSync(target, join(stage, path));
}

/** Every file of a folder, if there is one. @param {string} from @param {string} to @returns {string[]} their names */
function putAll(from, to) {
  if (!existsSync(join(root, from))) return [];
  const names = readdirSync(join(root, from)).sort();
  for (const name of names) put(join(to, name), read(join(from, name)));
  return names;
}

/** @param {string[]} files */
function md5sums(files) {
  return execFileSync("md5sum", ["--", ...files.sort()], { cwd: stage, encoding: "utf8" });
}

/** Modes that depend neither on the umask nor on the clone. @param {string} path */
function normalise(path) {
  const it = lstatSync(path);
  if (it.isSymbolicLink()) return;
  chmodSync(path, it.isDirectory() || (it.mode & 0o100) !== 0 ? 0o755 : 0o644);
  if (it.isDirectory()) for (const name of readdirSync(path)) normalise(join(path, name));
}

/** Seconds since 1970. Of the newest entry of CHANGELOG.md where there is no git. @returns {string} */
function dateOfCommit() {
  try {
    return execFileSync("git", ["log", "-1", "--format=%ct"], {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    console.error(
      `error: this is not a clone\nwhat to do: set SOURCE_DATE_EPOCH, the date of ${basename(root)} in seconds`,
    );
    return process.exit(1);
  }
}
