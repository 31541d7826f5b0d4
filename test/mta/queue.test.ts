import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { freePort } from "../../testing/ports.ts";
import { Cleanup } from "./support/cleanup.ts";
import { lastOfEach, startPostfix, untilEmpty, WITHOUT_POSTFIX } from "./support/postfix.ts";
import { startSink } from "./support/sink.ts";
import { SmtpSession } from "./support/smtp-client.ts";
import { until } from "./support/waiting.ts";

it.skipIf(WITHOUT_POSTFIX !== null)(
  `a message whose try is due while it is still locked does not wait for five minutes${WITHOUT_POSTFIX ? ` (${WITHOUT_POSTFIX})` : ""}`,
  async () => {
    const cleanup = new Cleanup();
    try {
      const port = await freePort();
      const main = "queue_run_delay = 1s\nminimal_backoff_time = 1s\nmaximal_backoff_time = 2s\n";
      const rig = `relay_domains = example.com\nrelay_transport = smtp:[127.0.0.1]:${port}\n`;
      const postfix = await startPostfix({ name: "locked.example.org", main, rig }, cleanup);
      const session = await SmtpSession.open({ port: postfix.port, sender: "someone@elsewhere.example" });
      await session.expect(250, session.rcpt("<known@example.com>"));
      await session.expect(250, session.data("Subject: a letter\r\n\r\nHello."));
      await session.quit();
      await until("it is deferred", () => postfix.queued().waiting === 1);
      const queue = join(postfix.folder, "queue", "deferred");
      const [file] = readdirSync(queue, { recursive: true, withFileTypes: true }).filter((it) => it.isFile());
      // As the process that tried to deliver it, while the machine is busy.
      const path = join(file?.parentPath ?? "", file?.name ?? "");
      const script = 'exec 9<>"$1"; flock 9; echo locked; exec sleep 10';
      const lock = spawn("bash", ["-c", script, "bash", path], { stdio: ["ignore", "pipe", "inherit"] });
      cleanup.add(() => lock.kill("SIGKILL"));
      await once(lock.stdout, "data");
      await startSink(cleanup, () => true, { port });
      await until("Postfix skips it", () => postfix.log().includes("skipped, still being delivered"));
      lock.kill("SIGKILL");
      // Its next try is due in 60 s, which no setting changes: the clock of the file is put back.
      const now = new Date();
      utimesSync(join(postfix.folder, "queue", "incoming", file?.name ?? ""), now, now);
      await untilEmpty(postfix);
    } finally {
      await cleanup.run();
    }
  },
);

it("a rig's main.cf has a parameter once, with the value that counts", () => {
  expect(lastOfEach("a = 1\nb =\n    x\n# c = 4\n    y\na = 2\n")).toBe("a = 2\nb =\n    x\n    y\n");
});
