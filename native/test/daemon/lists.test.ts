/**
 * libcpg asks for the members of groups one by one, and waits for each without looking after its connection: when the daemon goes away
 * in between, that call never returns.
 */
import { expect, test } from "vitest";
import type { Client } from "../support/client.js";
import { useDaemon } from "../support/use-daemon.js";

const fixture = useDaemon();

/** Has the client ask for a list that is so long that the daemon is nearly always in the middle of it, again and again until that fails. */
function askForLists(client: Client): Promise<void> {
  return client.run(async ({ record, kept, until }) => {
    const recordings = await Promise.all(Array.from({ length: 60 }, () => record({ closeMs: 100 })));
    await Promise.all(recordings.map(({ cpg }, i) => cpg.join(`${process.pid}/${i}`)));
    const [asking, ...others] = recordings.map(({ cpg }) => cpg);
    let lists = 0;
    const ask = async (): Promise<string> => {
      for (;;) {
        const answer = await asking!.members().then(() => "members", (error: { code: string }) => error.code);
        if (answer !== "members") return answer;
        lists += 1;
      }
    };
    Object.assign(kept, { asking, others, asked: ask() });
    await until(() => lists > 0);
  });
}

test("a call that never returns, because the daemon was killed meanwhile, is told so, and keeps neither close() nor the process from ending", async () => {
  const client = fixture.client();
  await askForLists(client);
  // Stopped, it is in the middle of a list for sure.
  fixture.daemon.signal("SIGSTOP");
  await fixture.daemon.kill();
  const { code, closed } = await client.run(async ({ kept, until }) => {
    const asking = kept["asking"] as { closed: boolean; close(): Promise<void> };
    const code = await (kept["asked"] as Promise<string>);
    await until(() => asking.closed);
    await asking.close();
    return { code, closed: asking.closed };
  });
  expect({ code, closed }).toEqual({ code: "LIBRARY", closed: true });
  client.child.disconnect();
  expect(await client.exited()).toEqual({ code: 0, signal: null });
  await fixture.daemon.run();
});

test("the same of a daemon that stands still, when the handle is closed", async () => {
  const client = fixture.client();
  await askForLists(client);
  fixture.daemon.signal("SIGSTOP");
  try {
    const { code, ms } = await client.run(async ({ kept }) => {
      const from = performance.now();
      await Promise.all([kept["asking"], ...(kept["others"] as unknown[])].map((cpg) => (cpg as { close(): Promise<void> }).close()));
      return { ms: performance.now() - from, code: await (kept["asked"] as Promise<string>) };
    });
    expect(code).toBe("BAD_HANDLE");
    expect(ms).toBeLessThan(10_000);
    client.child.disconnect();
    expect(await client.exited()).toEqual({ code: 0, signal: null });
  } finally {
    fixture.daemon.signal("SIGCONT");
  }
});
