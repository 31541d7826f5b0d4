import * as v from "valibot";
import { fileSource } from "./file.ts";
import { kind } from "./kind.ts";
import { eachLine } from "./lines.ts";
import { outputOf } from "./program.ts";
import { TIMEOUT_SETTING, textSetting } from "./settings.ts";
import type { ParseList, Source } from "./source.ts";

/**
 * `kind = "dovecot"`: the users of Dovecot, from `doveadm user '*'` (doveadm-user(1)), which asks each userdb that can list
 * its users, or from a passwd-file. A user without a domain belongs to the domain whose list this is.
 */
export const dovecot = kind({
  settings: {
    passwd_file: v.optional(textSetting("must be the path of a passwd-file")),
    timeout: TIMEOUT_SETTING,
  },
  open({ passwd_file, timeout }, host): Source {
    const parse =
      (nameOf: (text: string) => string): ParseList =>
      (chunks, sink, progress) =>
        eachLine(
          chunks,
          {
            line(line, text) {
              const name = nameOf(text);
              if (name === "") return;
              sink.entry(line, name.includes("@") ? name : `${name}@${host.domain}`, "active");
            },
            fault: (line, reason) => sink.fault(line, reason),
          },
          progress,
        );
    if (passwd_file !== undefined) {
      return fileSource(host.path(passwd_file), passwd_file, parse(userOfPasswdFile));
    }
    const argv = ["doveadm", "user", "*"];
    return {
      describe: () => `${host.shown} (doveadm user)`,
      read: (sink, signal) => parse((text) => text.trim())(outputOf({ argv, timeout }, host, signal), sink),
    };
  },
});

/** `user:password:uid:gid:gecos:home:shell:extra`, where all but the user may be left out. `#` starts a comment. */
const userOfPasswdFile = (text: string): string =>
  text.startsWith("#") ? "" : (text.split(":", 1)[0] as string).trim();
