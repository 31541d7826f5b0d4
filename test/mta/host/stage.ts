/** A host of its own for a mail server: its own network, /etc, /usr and /var, which go when it ends. */
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Host, NAME } from "../../../integrations/host.ts";
import type { Played } from "./play.ts";
import "../../support/built.ts";

const UNPACKED = process.env.ROLLCALL_UNPACKED ?? "";

/** Why no host can be made here, or null. */
export const WITHOUT_NAMESPACES: string | null =
  process.getuid?.() !== 0
    ? "namespaces need root"
    : existsSync("/usr/sbin/ip")
      ? null
      : "iproute2 is not installed";

/**
 * The host is 198.51.100.1, and there is one other machine, for all other servers: a namespace that the process `OUTSIDE` lives
 * in. 198.51.100.77 is local too, but not of an interface: servers would take its clients for their own.
 */
const STAGE = `set -e
hostname ${NAME}
mount -t tmpfs -o mode=0755 tmpfs "$STAGE"
cd "$STAGE"
for name in etc usr var; do
  mkdir $name $name.work
  lower=/$name
  if [ -n "$UNPACKED" ]; then lower=$UNPACKED/$name:/$name; fi
  mount -t overlay overlay -o "lowerdir=$lower,upperdir=$PWD/$name,workdir=$PWD/$name.work" /$name
done
mount -t tmpfs -o mode=0755 tmpfs /run
mount -t tmpfs -o mode=0755 tmpfs /home
ip link set lo up
unshare --net sleep infinity &
outside=$!
until [ "$(readlink /proc/$outside/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
ip link add out type veth peer name in netns $outside
ip address add 198.51.100.1 dev out
ip link set out up
ip route add local 198.51.100.77 dev lo
for network in 192.0.2.0 203.0.113.0; do ip route add $network/24 dev out; done
nsenter --net --target $outside sh -ec '
  ip link set lo up
  ip link set in up
  for address in 192.0.2.10 203.0.113.25; do ip address add $address dev in; done
  ip route add 198.51.100.1 dev in
'
export OUTSIDE=$outside
echo 'nameserver 127.0.0.1' > /etc/resolv.conf
printf '127.0.0.1 localhost\\n::1 localhost\\n127.0.1.1 ${NAME} mx\\n' > /etc/hosts
echo ${NAME} > /etc/mailname
echo 'ada:x:4711:4711::/home/ada:/bin/sh' >> /etc/passwd
echo 'ada:x:4711:' >> /etc/group
mkdir -m 0755 /home/ada
chown 4711:4711 /home/ada
rm -f /var/mail/ada
printf %s "$ROLLCALL_STAGE" > /run/rollcall-stage
exec "$NODE" "$PLAY" "$@"
`;

/** Plays all cases with a mail server, in these of its ways. @throws Error with what it printed if that was not possible */
export async function playOn({ name, isUnpacked }: Host, ways: readonly string[]): Promise<Played> {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-stage-"));
  try {
    const flags = ["--mount", "--net", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child"];
    const { stdout } = await promisify(execFile)(
      "unshare",
      [...flags, "sh", "-c", STAGE, "sh", name, ...ways],
      {
        maxBuffer: 64 * 1024 * 1024,
        env: {
          // Without vitest's own, which make Haraka look for the configuration of its tests.
          ROLLCALL_UNPACKED: UNPACKED,
          ROLLCALL_HARAKA: process.env.ROLLCALL_HARAKA ?? "",
          STAGE: folder,
          UNPACKED: isUnpacked ? UNPACKED : "",
          NODE: process.execPath,
          PLAY: join(import.meta.dirname, "play.ts"),
          ROLLCALL_STAGE: randomUUID(),
          PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
        },
      },
    ).catch((error: { stderr: string }) => {
      throw new Error(`no outcomes: ${error.stderr}`);
    });
    return JSON.parse(stdout) as Played;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
