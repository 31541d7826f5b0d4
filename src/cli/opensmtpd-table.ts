/**
 * Entry point of `rollcall opensmtpd-table` as a file of its own, which starts faster and takes less memory than the
 * command. smtpd starts it with the address alone, bin/rollcall.js also with the name of the command.
 */
import { runOpenSmtpdTable } from "../opensmtpd/platform.ts";

const [, , first = "", second = ""] = process.argv;
await runOpenSmtpdTable(first === "opensmtpd-table" ? second : first);
