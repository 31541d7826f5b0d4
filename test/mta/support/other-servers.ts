/** Debian's Exim, unpacked in a folder, with a small configuration whose router decides also in `exim -bt`. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Where .ci/run has unpacked the packages. */
const ROOT = process.env.ROLLCALL_UNPACKED ?? "";

/** Why they cannot run here, or null. */
export const WITHOUT_OTHERS: string | null = !existsSync(join(ROOT, "usr/sbin/exim4"))
  ? "ROLLCALL_UNPACKED does not name a folder with Exim and Sendmail"
  : process.getuid?.() === 0
    ? null
    : "namespaces need root";

/** Makes a command of a folder that runs another one in namespaces, with files of its own in place of the machine's. */
function wrap(
  folder: string,
  name: string,
  command: readonly string[],
  files: Readonly<Record<string, string>>,
): void {
  const mounts = Object.entries(files).map(([path, text], i) => {
    const own = join(folder, `${name}.${i}`);
    writeFileSync(own, text);
    return `mount --bind ${own} ${path}`;
  });
  const inside = ["hostname mx.example.org", ...mounts, 'exec "$@"'].join(" && ");
  const libraries = join(ROOT, "usr/lib/x86_64-linux-gnu");
  writeFileSync(
    join(folder, name),
    `#!/bin/sh
PATH=/usr/sbin:/usr/bin:/sbin:/bin LD_LIBRARY_PATH=${libraries}
export PATH LD_LIBRARY_PATH
exec unshare --mount --uts sh -c '${inside}' sh ${command.join(" ")} "$@"
`,
    { mode: 0o755 },
  );
}

/** Puts a command `exim4` into a folder, whose router asks the line listener on a port about recipients of example.com. */
export function installExim(folder: string, port: number): void {
  const configuration = join(folder, "exim.conf");
  writeFileSync(
    configuration,
    String.raw`keep_environment =
primary_hostname = mx.example.org
log_file_path = ${folder}/exim-%slog
begin routers
rollcall:
  driver = redirect
  domains = example.com
  data = \${if match{\${readsocket{inet:127.0.0.1:${port}}{$local_part@$domain\n}{5s}{\n}{}}}{\N^([245]\d\d [^\r\n]+)\r?\n\N}\
    {\${if match{$1}{\N^2\N}{}{\${if match{$1}{\N^5\N}{:fail: $1}{:defer: $1}}}}}{:defer: lookup failed}}
relay:
  driver = manualroute
  domains = example.com
  transport = smtp
  route_list = * 192.0.2.10 byname
begin transports
smtp:
  driver = smtp
`.replaceAll("\\${", "${"),
  );
  wrap(folder, "exim4", [join(ROOT, "usr/sbin/exim4"), "-C", configuration], {
    "/etc/passwd": `${readFileSync("/etc/passwd", "utf8")}Debian-exim:x:9999:9999::/nonexistent:/usr/sbin/nologin\n`,
    "/etc/group": `${readFileSync("/etc/group", "utf8")}Debian-exim:x:9999:\n`,
  });
}
