/** Where the outcomes of whole files are kept from run to run. */
import { join } from "node:path";
import { ROOT } from "./areas.ts";

export const REPORTS = join(ROOT, "reports", "mutation");

export const reportOf = (file: string): string => join(REPORTS, `${file.replaceAll("/", "-")}.json`);
