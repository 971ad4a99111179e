/** INFO's text: the fields clients and monitoring look for, and the replica's own view of its group. */
import type { Service } from "../server/service.js";
import { lockstepVersion, redisVersion } from "../server/version.js";

type Fields = Readonly<Record<string, string | number>>;

const sections: Readonly<Record<string, (service: Service) => Fields>> = {
  server: serverFields,
  clients: clientFields,
  memory: memoryFields,
  persistence: persistenceFields,
  stats: statisticsFields,
  replication: replicationFields,
  keyspace: keyspaceFields,
};

/** All sections if none are named; those that are not known are left out, as Redis does. `text` is latin1. */
export function infoText(service: Service, wanted: readonly string[]): string {
  const names = new Set(wanted.map((name) => name.toLowerCase()));
  const everything = names.size === 0 || ["all", "default", "everything"].some((name) => names.has(name));
  const parts: string[] = [];
  for (const [name, fieldsOf] of Object.entries(sections)) {
    if (!everything && !names.has(name)) continue;
    const lines = Object.entries(fieldsOf(service)).map(([field, value]) => `${field}:${oneLine(String(value))}\r\n`);
    parts.push(`# ${name.charAt(0).toUpperCase()}${name.slice(1)}\r\n${lines.join("")}`);
  }
  return parts.join("\r\n");
}

/** A reason in words must not become lines of its own, or more than one byte per character. */
function oneLine(text: string): string {
  return text.replaceAll(/[\r\n]+/g, " ").replaceAll(/[^ -~]/g, "?");
}

function serverFields({ startedAtMs, port }: Service): Fields {
  const uptimeSeconds = Math.floor((Date.now() - startedAtMs) / 1000);
  return {
    redis_version: redisVersion,
    redis_mode: "standalone",
    lockstep_version: lockstepVersion,
    node_version: process.versions.node,
    os: `${process.platform} ${process.arch}`,
    process_id: process.pid,
    tcp_port: port,
    uptime_in_seconds: uptimeSeconds,
    uptime_in_days: Math.floor(uptimeSeconds / 86_400),
  };
}

function clientFields({ sessions, limits }: Service): Fields {
  // No command blocks its client; redis-cli --stat shows nonsense for what is missing.
  return { connected_clients: sessions.size, maxclients: limits.connections, blocked_clients: 0 };
}

function memoryFields({ memory }: Service): Fields {
  const { rss, heapUsed } = process.memoryUsage();
  return { used_memory: heapUsed, used_memory_rss: rss, maxmemory: 0, mem_clients_normal: memory.heldBytes };
}

/** Clients such as ioredis wait while `loading` is 1. */
function persistenceFields({ standing: { role } }: Service): Fields {
  const loading = role === "joining" || role === "synchronising";
  return loading ? { loading: 1, loading_eta_seconds: 1 } : { loading: 0 };
}

function statisticsFields({ statistics, memory }: Service): Fields {
  return {
    total_connections_received: statistics.connectionsReceived,
    total_commands_processed: statistics.commandsProcessed,
    rejected_connections: statistics.connectionsRejected,
    evicted_clients: memory.evicted,
    total_error_replies: statistics.errorReplies,
  };
}

function replicationFields({ replica }: Service): Fields {
  const { group, slot, incarnation, role, reason, slots, members, activeSlots, ballot, ring, positions, queue } = replica.inspect();
  return {
    // In Redis's terms every replica is a master: each takes writes.
    role: "master",
    connected_slaves: Math.max(0, members.length - 1),
    lockstep_group: group,
    lockstep_slot: slot,
    lockstep_incarnation: incarnation,
    lockstep_role: role,
    ...(reason === undefined ? {} : { lockstep_reason: reason }),
    lockstep_slots: slots.join(","),
    lockstep_view: members.map((member) => member.slot).join(","),
    lockstep_active_slots: activeSlots.join(","),
    lockstep_ballot: ballot,
    ...(ring === undefined ? {} : { lockstep_ring: ring }),
    lockstep_position_applied: positions.applied,
    lockstep_position_committed: positions.committed,
    lockstep_position_end: positions.end,
    lockstep_queued_commands: queue.commands,
    lockstep_queued_bytes: queue.bytes,
  };
}

/** Empty without keys, as Redis has it. */
function keyspaceFields({ replica }: Service): Fields {
  const { values, deadlines } = replica.state;
  return values.size === 0 ? {} : { db0: `keys=${values.size},expires=${deadlines.size},avg_ttl=0` };
}
