/** A host as the packages leave it: settings, tokens and state below a folder that stands for the root. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, temporaryFolder } from "../../support/processes.ts";

export interface InstalledHost {
  readonly root: string;
  /** Where its administrator works: a folder without settings. */
  readonly home: string;
  path(file: string): string;
  write(file: string, text: string, mode?: number): void;
  read(file: string): string;
}

/** A host with the files of packaging/etc, which the Debian package puts into /etc/rollcall. */
export function installedHost(): InstalledHost {
  const root = temporaryFolder();
  const path = (file: string): string => join(root, file);
  for (const folder of ["root", "etc", "var/lib/rollcall/sync"])
    mkdirSync(path(folder), { recursive: true, mode: 0o700 });
  cpSync(join(ROOT, "packaging", "etc"), path("etc/rollcall"), { recursive: true });
  return {
    root,
    home: path("root"),
    path,
    write: (file, text, mode = 0o644) => {
      mkdirSync(join(path(file), ".."), { recursive: true });
      writeFileSync(path(file), text, { mode });
    },
    read: (file) => readFileSync(path(file), "utf8"),
  };
}
