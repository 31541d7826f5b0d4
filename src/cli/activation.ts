import { type InheritedListener, LISTENER_NAMES, type ServedName } from "../bridge/index.ts";
import { usageError } from "./exit.ts";

/** Number of the first descriptor that systemd passes (sd_listen_fds(3)). */
const FIRST_DESCRIPTOR = 3;

/**
 * The sockets that systemd, or another service manager, opened for this process (`LISTEN_FDS`).
 * @param pid of this process: sockets for another one are none of ours
 * @throws CliError exit 2
 */
export function activatedListeners(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): InheritedListener<ServedName>[] {
  const { LISTEN_FDS: count, LISTEN_PID: owner, LISTEN_FDNAMES: names } = env;
  if (count === undefined || owner !== String(pid)) return [];
  if (!/^\d{1,4}$/.test(count)) throw usageError(`LISTEN_FDS is not a number: ${count}`, HOW);
  const named = names === undefined || names === "" ? [] : names.split(":");
  return Array.from({ length: Number(count) }, (_, i) => {
    const name = LISTENER_NAMES.find((each) => each === named[i]);
    const fd = FIRST_DESCRIPTOR + i;
    if (name !== undefined) return { name, fd, setting: null, shown: null };
    throw usageError(
      `the inherited socket of descriptor ${fd} is named "${named[i] ?? ""}" (LISTEN_FDNAMES)`,
      HOW,
    );
  });
}

const HOW = `set FileDescriptorName= of the systemd socket unit to one of ${LISTENER_NAMES.join(", ")}`;
