/** Unmodified Redis clients on a node of a test cluster: runs one scenario against the local server and prints what it saw as JSON. */
import { Redis } from "ioredis";
import { createClient } from "redis";

export type Seen = Readonly<Record<string, unknown>>;

const [client = "", scenario = "", port = "0", prefix = ""] = process.argv.slice(2);

const scenarios: Readonly<Record<string, () => Promise<Seen>>> = {
  "ioredis:write": async () => {
    const redis = new Redis(Number(port), { retryStrategy: null });
    const seen = {
      set: await redis.set(`${prefix}:greeting`, "hello", "EX", 1000),
      incr: await Promise.all([redis.incr(`${prefix}:n`), redis.incr(`${prefix}:n`), redis.incrby(`${prefix}:n`, 40)]),
      pipeline: await redis.pipeline().mset(`${prefix}:a`, "1", `${prefix}:b`, "2").mget(`${prefix}:a`, `${prefix}:b`).del(`${prefix}:a`).exec(),
      binary: (await redis.set(`${prefix}:bytes`, Buffer.from([0, 255, 128])), await redis.getBuffer(`${prefix}:bytes`))?.toString("hex"),
    };
    await redis.quit();
    return seen;
  },
  "redis:read": async () => {
    const redis = createClient({ socket: { port: Number(port), reconnectStrategy: false } });
    await redis.connect();
    const ttl = await redis.ttl(`${prefix}:greeting`);
    const seen = {
      greeting: await redis.get(`${prefix}:greeting`), n: await redis.get(`${prefix}:n`),
      both: await redis.mGet([`${prefix}:a`, `${prefix}:b`]), exists: await redis.exists(`${prefix}:b`), expires: ttl > 0 && ttl <= 1000,
    };
    await redis.close();
    return seen;
  },
  "ioredis:up": async () => {
    const redis = new Redis(Number(port), { retryStrategy: null, maxRetriesPerRequest: 0 });
    redis.on("error", () => undefined); // not listening yet: the command says so, too
    const up = await redis.set(`${prefix}:up`, "1").then((answer) => answer === "OK", () => false);
    redis.disconnect();
    return { up };
  },
  "ioredis:refused": async () => {
    const redis = new Redis(Number(port), { retryStrategy: null, maxRetriesPerRequest: 0 });
    const error = await redis.set(`${prefix}:late`, "no").then(() => "it was taken", String);
    const read = await redis.get(`${prefix}:late`).then(() => "it was answered", String);
    const info = await redis.info();
    const seen = { error, read, ping: await redis.ping(), info: info.includes("role:"), loading: /loading:(\d)/.exec(info)?.[1] };
    await redis.quit();
    return seen;
  },
};

const run = scenarios[`${client}:${scenario}`];
if (run === undefined) throw new Error(`there is no scenario ${client}:${scenario}`);
process.stdout.write(JSON.stringify(await run()));
