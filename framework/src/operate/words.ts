/** What `lockstep` tells people: each returns lines. And the same facts for programs. */
import type { Operation } from "../apply/types.js";
import { formatBallot } from "../core/ballot.js";
import type { BackupPlan, BackupResult, Inspection } from "../replica-api.js";
import type { NewStartPlan } from "./new-start.js";
import type { RestorePlan } from "./restore.js";
import type { SnapshotContent } from "./snapshot-content.js";
import type { StoreReport } from "./store-report.js";
import type { VerifiedBackup } from "./verify-backup.js";

const shownOperations = 10;

/** "name   value", aligned. */
function table(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  return rows.map(([name, value]) => `  ${name.padEnd(width)}${value}`);
}

function size(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const step = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return step === 0 ? `${bytes} bytes` : `${(bytes / 1024 ** step).toFixed(1)} ${units[step] ?? ""}`;
}

const time = (ms: number): string => new Date(ms).toISOString();
const list = (numbers: readonly number[]): string => (numbers.length === 0 ? "none" : numbers.join(", "));
const machineOf = ({ name, version }: { readonly name: string; readonly version: number }): string => `${name}, version ${version}`;

function keysOf({ tables }: SnapshotContent): [string, string][] {
  return tables.map(({ name, keys }) => [`keys in ${name}`, String(keys)]);
}

function operationLines(operations: readonly Operation[]): string[] {
  if (operations.length === 0) return ["What operators did: nothing is recorded."];
  const shown = operations.slice(-shownOperations);
  return [
    `What operators did${shown.length < operations.length ? ` (the last ${shown.length} of ${operations.length})` : ""}:`,
    ...shown.map(({ position, atMs, who, what, details }) => `  ${time(atMs)}  position ${position}  ${who}: ${what} ${details}`),
  ];
}

// backup

export function backupPlanned({ path, position, aboutBytes, freeBytes }: BackupPlan): string[] {
  return [
    "Nothing was changed. This would be done:",
    `  The replica stands at position ${position}. It would write the state there, about ${size(aboutBytes)}, to ${path}.`,
    `  There are ${size(freeBytes)} free: ${freeBytes > aboutBytes ? "there is room" : "THERE IS NO ROOM"}.`,
    "  The group goes on meanwhile, and keeps a record of who took the backup. Nothing is lost.",
  ];
}

export function backupTaken({ path, position, hash, bytes }: BackupResult): string[] {
  return [
    `${path} holds the state of position ${position}: ${size(bytes)}, hash ${hash}.`,
    "What is acknowledged from now on is not in it. Look at it with: lockstep verify",
  ];
}

// verify

export function backupFacts({ header, bytes, content }: VerifiedBackup): Record<string, unknown> {
  const { group, slot, slots, policy, machine, point, ballot, now, atMs, by } = header;
  const { slices, tables, operations } = content;
  return { ok: true, group, slot, slots, policy, machine, position: point.position, hash: point.hash, ballot: formatBallot(ballot), clusterTime: time(now), taken: time(atMs), by, bytes, slices, stateBytes: content.bytes, tables, operations };
}

export function backupVerified(file: string, { header, bytes, content }: VerifiedBackup): string[] {
  return [
    `${file} is whole: every checksum is right, and the state in it can be read.`,
    ...table([
      ["group", header.group],
      ["machine", machineOf(header.machine)],
      ["position", `${header.point.position}, hash ${header.point.hash}`],
      ["taken", `${time(header.atMs)} by ${header.by}, from the replica of slot ${header.slot} (slots ${list(header.slots)}, ${header.policy})`],
      ["cluster time", time(header.now)],
      ["size", `${size(bytes)}, in ${content.slices} ${content.slices === 1 ? "slice" : "slices"}`],
      ...keysOf(content),
    ]),
    ...operationLines(content.operations),
  ];
}

// restore

export function restoreConsequences({ backup: { header }, target }: RestorePlan): string[] {
  const others = target.slots.filter((slot) => slot !== target.slot);
  return [
    `The backup is of group ${header.group}, machine ${machineOf(header.machine)}, taken ${time(header.atMs)} by ${header.by}.`,
    `What is lost: everything that was acknowledged after position ${header.point.position}. How much that is cannot be told from here.`,
    "Timers and deadlines go on from the time at which the backup was taken, as if no time had passed since.",
    ...(others.length === 0 ? [] : [
      "What must be true:",
      `  No replica of the group ${target.group} runs any more, and none is ever started again with what it has on disk now.`,
      "  (If one is, it stops where it meets the restored group, and keeps what it has. A majority of them, among themselves, would go on without it.)",
    ]),
    "What to do next:",
    `  1. Start this replica (slot ${target.slot}) with group ${target.group}, slots ${list(target.slots)}, quorum ${target.policy}, and the directory ${target.directory}.`,
    ...(others.length === 0 ? [] : [`  2. Start those of slots ${list(others)} with empty directories. The group begins when all ${target.slots.length} are there; they take the state from this one.`]),
  ];
}

export function restorePlanned(plan: RestorePlan): string[] {
  return [`Nothing was changed. This would be done: make ${plan.target.directory} from the backup, the state of position ${plan.backup.header.point.position}.`, ...restoreConsequences(plan)];
}

export function restored(plan: RestorePlan): string[] {
  return [`${plan.target.directory} holds the state of position ${plan.backup.header.point.position}, and a record of this restore after it.`, ...restoreConsequences(plan)];
}

// inspect

export function storeFacts({ directory, identity, format, log, fileBytes }: StoreReport): Record<string, unknown> {
  if (log === undefined) return { ok: true, directory, ...identity, format, fileBytes, log: null };
  const { head, base, end, snapshot, entries, bytes, operations } = log;
  return {
    ok: true, directory, ...identity, format, fileBytes,
    log: {
      ballot: formatBallot(head.ballot), promised: formatBallot(head.promised), lineage: head.lineage, replaceState: head.replaceState, known: head.known, base, end, entries, bytes,
      snapshot: snapshot === undefined ? null : { machine: snapshot.machine, position: snapshot.position, slices: snapshot.slices, bytes: snapshot.bytes, tables: snapshot.tables },
    },
    operations,
  };
}

export function storeInspected({ directory, identity, format, log, fileBytes }: StoreReport): string[] {
  const { group, slot, machine, version, slots, policy } = identity;
  const whose: [string, string][] = [["group", group], ["slot", `${slot} of ${list(slots)}`], ["quorum policy", policy], ["machine", version === undefined ? machine : `${machine}, version ${version}`], ["file", `${size(fileBytes)}, format ${format}`]];
  if (log === undefined) return [`${directory} holds a store without a log: its replica had not taken part yet.`, ...table(whose)];
  const { head, base, end, snapshot, entries, bytes, operations } = log;
  return [
    `${directory} is whole: every checksum and every hash is right, and the state in it can be read.`,
    ...table([
      ...whose,
      ["ballot", formatBallot(head.ballot)],
      ["promised", formatBallot(head.promised)],
      ["lineage", head.lineage ? "yes: what is here comes from a primary view" : "no: the group is known to have gone on without this replica"],
      ...(head.replaceState ? [["state", "known to be WRONG: it differed from the others'"] as const] : []),
      ["known slots", list(head.known)],
      ["begins after", snapshot === undefined ? `position ${base.position}` : `position ${base.position}: ${size(snapshot.bytes)} of state in ${snapshot.slices} ${snapshot.slices === 1 ? "slice" : "slices"}, machine version ${snapshot.machine.version}`],
      ["ends at", `position ${end.position}, hash ${end.hash}`],
      ["log", `${entries} ${entries === 1 ? "entry" : "entries"}, ${size(bytes)}`],
      ...(snapshot === undefined ? [] : keysOf(snapshot).map(([name, value]) => [name, `${value} (at position ${base.position})`] as const)),
    ]),
    ...operationLines(operations),
  ];
}

// status

export function statusTold(of: Inspection): string[] {
  const { positions, queue } = of;
  return [
    `The replica of slot ${of.slot} is ${of.role}${of.reason === undefined ? "" : `: ${of.reason}`}.`,
    ...table([
      ["group", of.group],
      ["slots", `${list(of.slots)}; active: ${list(of.activeSlots)}`],
      ["ballot", of.ballot],
      ["positions", `applied ${positions.applied}, committed ${positions.committed}, verified ${positions.verified}, end ${positions.end}, log since ${positions.base}`],
      ...(of.disk === undefined ? [] : [["disk", diskTold(of.disk)] as const]),
      ["queue", `${queue.commands} commands, ${size(queue.bytes)}`],
      ["per second", `${Math.round(of.rates.submitted)} submitted here, ${Math.round(of.rates.appliedCommands)} applied`],
    ]),
    ...operationLines(of.operations),
  ];
}

function diskTold({ base, end, trouble, snapshotTrouble }: NonNullable<Inspection["disk"]>): string {
  const content = `a state of position ${base}, and the log to ${end}`;
  if (trouble !== undefined) return `${content}. IT TAKES NOTHING: ${trouble}`;
  return snapshotTrouble === undefined ? content : `${content}. IT TAKES NO NEWER STATE, AND THE LOG GROWS: ${snapshotTrouble}`;
}

// new-start

export function newStartConsequences({ report, log, identity, ballot }: NewStartPlan): string[] {
  const { slot, slots, group } = identity;
  const before = report.identity.slots;
  const others = slots.filter((other) => other !== slot);
  return [
    `${report.directory} holds slot ${slot} of group ${group}, up to position ${log.end.position}, ballot ${formatBallot(log.head.ballot)}.`,
    ...(log.head.lineage ? [] : ["This replica is known to have been left behind: the group went on without it. Is there really none with a later position?"]),
    `What is lost for good: every command that the others (slots ${list(before.filter((other) => other !== slot))}) acknowledged and that is not in this log. How many those are cannot be told from here.`,
    "  If there are several directories left, compare them with \"lockstep inspect\": the one with the highest ballot, and of those the highest position, loses least.",
    "What must be true:",
    "  No other replica of this group is ever started again with what it has on disk now.",
    "  (If one is, it stops with DIVERGED or MACHINE_MISMATCH where it meets this one, and keeps what it has. But enough of them, among themselves, would go on with the old history.)",
    "What to do next:",
    `  1. Start this replica with slots ${list(slots)} in its configuration, quorum ${identity.policy}.`,
    ...(others.length === 0
      ? ["     It goes on alone at once. There is no second copy of what it answers."]
      : [`  2. Start those of slots ${list(others)} with empty directories and the same slots. The group begins when all ${slots.length} are there; they take the state from this one.`]),
    `The group's record of it: at position ${log.end.position + 1}, ballot ${formatBallot(ballot)}.`,
  ];
}

export function newStartPlanned(plan: NewStartPlan): string[] {
  return ["Nothing was changed. This would be done: the group goes on from this one replica.", ...newStartConsequences(plan)];
}

export function startedAnew(plan: NewStartPlan): string[] {
  return ["Done: the group goes on from this one replica.", ...newStartConsequences(plan)];
}
