/** The text of a node's corosync.conf. What each line means is in corosync.conf(5) and votequorum(5). */

import { UsageError } from "../command-line.js";

/** Of a section: `token: 1000`. */
export type Settings = Readonly<Record<string, string | number>>;

export interface CorosyncConf {
  readonly nodeIds: readonly number[];
  /** Added to, or put over, the defaults of totem { }. */
  readonly totem: Settings;
  /** Added to, or put over, the defaults of quorum { }: two_node, wait_for_all, … */
  readonly quorum: Settings;
  /** A quorum device at the switch: see quorum-device.ts. */
  readonly device: boolean;
  /** Private directory of the node: logs and state. */
  readonly directory: string;
}

const defaultTransport = "knet";

export function nodeAddress(nodeId: number): string {
  return `10.77.0.${String(nodeId)}`;
}

/** The switch's own: of programs that are on no node. */
export const switchAddress = "10.77.0.254";

export function logFile(directory: string): string {
  return `${directory}/corosync.log`;
}

/** Of `KEY=VALUE` each. @throws UsageError */
export function totemSettings(pairs: readonly string[]): Settings {
  return Object.fromEntries(pairs.map((pair) => {
    const [, key, value] = /^([a-z_]+)=(.+)$/.exec(pair) ?? [];
    if (key === undefined || value === undefined) throw new UsageError(`--totem takes KEY=VALUE, such as transport=udpu, not ${JSON.stringify(pair)}.`);
    return [key, value];
  }));
}

export function corosyncTransport(totem: Settings): string {
  return String(totem["transport"] ?? defaultTransport);
}

export function corosyncConf(conf: CorosyncConf): string {
  const totem = { version: 2, cluster_name: "lockstep-test", transport: defaultTransport, crypto_cipher: "none", crypto_hash: "none", ...conf.totem };
  const nodes = conf.nodeIds.map((nodeId) => section("node", { ring0_addr: nodeAddress(nodeId), nodeid: nodeId, name: `node${String(nodeId)}` }));
  return [
    section("totem", totem, [section("interface", { linknumber: 0, ...linkDetection })]),
    section("nodelist", {}, nodes),
    section("quorum", { provider: "corosync_votequorum", ...conf.quorum }, conf.device ? [section("device", quickDevice, [section("net", deviceNet)])] : []),
    section("logging", { to_logfile: "yes", logfile: logFile(conf.directory), to_syslog: "no", to_stderr: "no", timestamp: "hires" }),
    section("system", { state_dir: `${conf.directory}/state`, ...sharedCores }),
  ].join("");
}

/**
 * A link counts as up after two answers to pings 100 ms apart, where Corosync would take seconds: start-up and healing are
 * most of what a test waits for. Totem's own timeouts, which decide what the group sees, are untouched.
 */
const linkDetection: Settings = { knet_ping_interval: 100, knet_ping_timeout: 500, knet_pong_count: 2 };

/**
 * On a host of its own a daemon runs with real-time priority. Several on one machine, passing the token round as fast as they can,
 * would then leave the processes that they serve next to no time.
 */
const sharedCores: Settings = { sched_rr: "no" };

/** A node whose link to the device is cut is given up after about a second, where Corosync's defaults make it some ten; a new ring waits 3 s for its word, not 30. */
const quickDevice: Settings = { model: "net", votes: 1, timeout: 1000, sync_timeout: 3000 };
/** ffsplit: of two halves, one. Without tls it needs no certificates. */
const deviceNet: Settings = { host: switchAddress, algorithm: "ffsplit", tls: "off" };

/** For tests that wait for nodes to be given up again and again: with three nodes after 500 ms, where Corosync's defaults make it 1650. */
export const quickTotem: Settings = { token: 400, token_coefficient: 100 };

function section(name: string, settings: Settings, inner: readonly string[] = []): string {
  const lines = Object.entries(settings).map(([key, value]) => `${key}: ${String(value)}\n`);
  return `${name} {\n${lines.join("")}${inner.join("")}}\n`;
}
