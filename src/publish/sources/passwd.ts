import * as v from "valibot";
import { ENTRY_STATES } from "../../directory/index.ts";
import { fileSource } from "./file.ts";
import { kind, type SourceHost } from "./kind.ts";
import { eachLine } from "./lines.ts";
import { outputOf } from "./program.ts";
import { TIMEOUT_SETTING, tableSetting, textSetting } from "./settings.ts";
import type { ParseList, Source, SourceSink } from "./source.ts";

const UID = "must be a user id, such as 1000";
const UID_SETTING = (value: number) =>
  v.optional(v.pipe(v.number(UID), v.integer(UID), v.minValue(0, UID), v.maxValue(2 ** 32 - 1, UID)), value);
const STATE = `must name states: ${ENTRY_STATES.join(", ")}, or "skip"`;

/** Fields of passwd(5), separated by colons. */
const NAME = 0;
const UID_FIELD = 2;
const SHELL = 6;
const FIELDS = 7;

/**
 * `kind = "passwd"`: the users of this host, as NSS knows them (getent(1): files, LDAP, SSSD, winbind), or of a file in the
 * format of passwd(5). Each user within the range of ids is a mailbox.
 */
export const passwd = kind({
  settings: {
    path: v.optional(textSetting("must be the path of a file")),
    // As Debian's login.defs has them. 65534 is nobody.
    uid_min: UID_SETTING(1000),
    uid_max: UID_SETTING(60_000),
    shells: v.optional(
      tableSetting(
        v.record(
          v.string(),
          v.picklist([...ENTRY_STATES, "skip"], STATE),
          "must be a table of shells and states",
        ),
      ),
      {},
    ),
    timeout: TIMEOUT_SETTING,
  },
  open({ path, uid_min, uid_max, shells, timeout }, host): Source {
    const parse: ParseList = (chunks, sink, progress) =>
      eachLine(
        chunks,
        {
          line(line, text) {
            readUser(line, text, { uid_min, uid_max, shells, domain: host.domain }, sink);
          },
          fault: (line, reason) => sink.fault(line, reason),
        },
        progress,
      );
    if (path !== undefined) return fileSource(host.path(path), path, parse);
    return {
      describe: () => `${host.shown} (getent passwd)`,
      read: (sink, signal) => parse(outputOf({ argv: ["getent", "passwd"], timeout }, host, signal), sink),
    };
  },
});

interface Rules extends Pick<SourceHost, "domain"> {
  readonly uid_min: number;
  readonly uid_max: number;
  readonly shells: Readonly<Record<string, (typeof ENTRY_STATES)[number] | "skip">>;
}

function readUser(
  line: number,
  text: string,
  { uid_min, uid_max, shells, domain }: Rules,
  sink: Pick<SourceSink, "entry" | "fault" | "leftOut">,
): void {
  if (text === "") return;
  const fields = text.split(":");
  const uid = fields[UID_FIELD] ?? "";
  if (fields.length !== FIELDS || !/^\d+$/.test(uid) || fields[NAME] === "") {
    sink.fault(
      line,
      `not a line of passwd(5): ${FIELDS} fields, separated by colons, with a number as the third`,
    );
    return;
  }
  if (Number(uid) < uid_min || Number(uid) > uid_max) return;
  const shell = fields[SHELL] as string;
  const state = Object.hasOwn(shells, shell) ? shells[shell] : "active";
  if (state === "skip") sink.leftOut?.(line, `with the shell ${shell}`);
  else if (state !== undefined) sink.entry(line, `${fields[NAME]}@${domain}`, state);
}
