import type { Suite } from "../report/measurement.ts";
import { checks } from "./checks.ts";
import { resident } from "./resident.ts";

/** All suites, in the order in which they run and are shown. */
export const suites: readonly Suite[] = [checks, resident];
