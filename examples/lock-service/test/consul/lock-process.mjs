/**
 * A process that wants a lock, holds it until it is told to go, and says what happens, one JSON line each: the recipe of Consul's
 * documentation for leaders, by the npm package `consul` as it is. Arguments: key, TTL, lock delay, ports; an unanswered call goes on at
 * the next of them.
 */
import Consul from "consul";

const [key, ttl, lockdelay, ...ports] = process.argv.slice(2);
const clients = ports.map((port) => new Consul({ host: "127.0.0.1", port: Number(port) }));
let current = 0;
let leaving = false;

function say(event, more = {}) {
  process.stdout.write(`${JSON.stringify({ event, atMs: Number(process.hrtime.bigint() / 1000n) / 1000, ...more })}\n`);
}

async function ask(call) {
  for (let tries = 0; ; tries++) {
    try {
      return await call(clients[current % clients.length]);
    } catch (error) {
      if ((error.statusCode !== undefined && error.statusCode !== 500) || tries === 200) throw error;
      current++;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

const { ID: session } = await ask((consul) => consul.session.create({ name: `process ${process.pid}`, ttl, lockdelay }));
say("session", { session });
const renewals = setInterval(() => {
  const sentMs = Number(process.hrtime.bigint() / 1000n) / 1000;
  ask((consul) => consul.session.renew(session)).then(() => say("renewed", { sentMs }), (error) => say("lost", { message: error.message }));
}, 250);

const leave = new Promise((resolve) => {
  process.on("SIGTERM", () => {
    leaving = true;
    resolve();
  });
});

/** Until nobody has it, or something else has changed. */
async function waitForChange() {
  const found = await ask((consul) => consul.kv.get({ key }));
  if (found?.Session === undefined) return false;
  say("waiting", { holder: found.Session });
  await ask((consul) => consul.kv.get({ key, index: String(found.ModifyIndex), wait: "20s" }));
  return true;
}

while (!leaving) {
  if ((await ask((consul) => consul.kv.set({ key, value: String(process.pid), acquire: session }))) === true) {
    const { LockIndex, Session } = await ask((consul) => consul.kv.get({ key, consistent: true }));
    if (Session === session) say("acquired", { lockIndex: LockIndex, session });
    await leave;
    await ask((consul) => consul.kv.set({ key, value: "", release: session }));
    say("released");
  } else if (!(await waitForChange())) {
    // Free, and not to be had: the lock delay.
    say("delayed");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
clearInterval(renewals);
await ask((consul) => consul.session.destroy(session));
for (const client of clients) client.destroy();
