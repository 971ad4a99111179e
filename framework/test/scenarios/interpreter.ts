/**
 * Runs the commands of a transcript on a modelled group with real cores, and says what came of each in a few lines. Every
 * choice of the group is the transcript's: nothing is sent or delivered unless it says so.
 *
 *   nodes 1 2 3 [policy corosync|fenced] [held BYTES] [retention BYTES] [incremental BYTES] [unwritten BYTES] [durability disk]
 *                                     first of all; every node is alone in its ring
 *   start 1 2 [machine M] [version V] [slots 1,2]   replicas start and ask to join
 *   ring SEQ 1 2 3 [ghost 4]          these nodes form a ring; of the old one they deliver their own messages, no others
 *   send 1 [COUNT]                    node 1 puts what its replica multicast on the ring
 *   deliver 1 [COUNT]                 node 1 delivers, and its replica hears it
 *   skip 1 [COUNT]                    node 1 steps over messages of a ring that is about to end: a hole
 *   late 1                            replica 1 acknowledges what it put off
 *   run                               send and deliver everywhere, until nothing moves; nobody puts off acknowledging
 *   tick MS [1 2]                     time passes, for all with run in between, or for some only
 *   submit 1 NAME… / abandon 1 N      a client of replica 1 asks for something / gives up
 *   crash 1 2 / leave 1               the processes end; "start" begins with what is on their disks, if they have any
 *   stuck 1 2 [snapshots]             their disks take nothing, or no snapshots: nothing of it is there
 *   full 1 2                          the same, and they say so
 *   unstuck 1 2                       they take what waits, at once
 *   write 1 2                         what waits for their disks is written down
 *   sending 1 2                       how many messages they have multicast that are not on the ring
 *   owes 1 2                          how many entries they keep in mind as waiting for their acknowledgement
 *   lose 1                            the disk is replaced by an empty one
 *   down 1 / up 1                     its daemon dies / is back, and the process with it
 *   freeze 1 / thaw 1, differs 1      the process is stopped / goes on; its state is found to be wrong
 *   second 1 [hangs|leaves|shown]     another process on the node, in lines 1b; it is frozen from its start, ends, is shown
 *   votes 1 2 [of SEQ] quorum Q [node=votes …] [device V] [two-node] [inquorate]   news from votequorum
 *   show 1 2                          what replicas hold
 */
import { LockstepError } from "../../src/errors.js";
import { formatBallot } from "../../src/core/ballot.js";
import type { CoreEvent, Effect } from "../../src/core/events.js";
import { corosyncPolicy, majorityPolicy, type QuorumPolicy } from "../../src/core/quorum-policy.js";
import type { EntryRecord } from "../../src/log/log.js";
import { Checkers } from "../simulation/checkers.js";
import type { Ending, Observer, SimReplica } from "../simulation/sim-replica.js";
import { formatEffect } from "../../src/testing/format.js";
import { SimDisk } from "../simulation/sim-disk.js";
import { World } from "../simulation/world.js";

const stepMs = 100;

/** Checks the invariants, and notes what is worth a line. */
class Notes implements Observer {
  readonly lines: string[] = [];
  readonly #checkers = new Checkers();

  stepped(replica: SimReplica, event: CoreEvent): void {
    this.#checkers.stepped(replica, event);
  }

  effect(replica: SimReplica, effect: Effect): void {
    const control = effect.type === "multicast" && ["exclude", "rejoin", "needSync"].includes(effect.message.type);
    // Changing is what every view begins with, and applying what committing leads to.
    const routine = effect.type === "suspended" || effect.type === "committed" || effect.type === "proposeMembers" || effect.type === "acknowledgeLater" || effect.type === "persist" || effect.type === "storeSnapshot"
      || (effect.type === "phase" && (effect.phase === "changing" || effect.phase === "joining" || effect.phase === "stopped")) || effect.type === "outcomesLost" || effect.type === "withdrawn"
      || (effect.type === "receiveTransfer" && effect.again === undefined);
    if (control || (effect.type !== "multicast" && !routine)) this.lines.push(`${nameOf(replica)} ${formatEffect(effect).replace(/ \[.*?\]/, "")}`);
    if (effect.type !== "stop") this.#checkers.effect(replica, effect);
  }

  applied(replica: SimReplica, position: number, hash: string, record: EntryRecord, took: boolean): void {
    this.lines.push(`${nameOf(replica)} applied ${position}: ${describeRecord(record)}${took ? "" : " again, without effect"}`);
    this.#checkers.applied(replica, position, hash, record, took);
  }

  ended(replica: SimReplica, n: number, ending: Ending): void {
    this.lines.push(`${nameOf(replica)} entry ${n}: ${ending}`);
    this.#checkers.ended(replica, n, ending);
  }
}

function nameOf({ slot, address }: SimReplica): string {
  return `${slot}${address.pid === 200 ? "b" : ""}`;
}

function describeRecord({ bytes, incarnation }: EntryRecord): string {
  if (bytes[28] === 1) return "members";
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const commands: string[] = [];
  for (let at = 33; at < view.length; at += 4 + view.readUInt32LE(at)) commands.push(view.toString("utf8", at + 4, at + 4 + view.readUInt32LE(at)));
  return `${commands.join(" ")} of ${Number.parseInt(incarnation.slice(0, 8), 16)}`;
}

const policies: Readonly<Record<string, QuorumPolicy>> = {
  majority: majorityPolicy, corosync: corosyncPolicy({ twoNodeIsFenced: false }), fenced: corosyncPolicy({ twoNodeIsFenced: true }),
};

export class Interpreter {
  readonly #notes = new Notes();
  #world: World | undefined;

  /** The lines that a command brought about. @throws Error for a command that makes no sense. */
  run(command: string): string[] {
    const [verb = "", ...words] = command.split(/\s+/);
    const act = this.#verbs[verb];
    if (act === undefined) throw new Error(`unknown command: ${command}`);
    act(words);
    return this.#notes.lines.splice(0);
  }

  readonly #verbs: Readonly<Record<string, (words: readonly string[]) => void>> = {
    nodes: (words) => {
      const { numbers, options } = parse(words);
      this.#world = new World({
        slots: numbers, policy: policies[options["policy"] ?? "majority"] ?? fail(`policy ${options["policy"]}`), observer: this.#notes,
        heldBytes: Number(options["held"] ?? 1_000_000), logRetentionBytes: Number(options["retention"] ?? 1_000_000), unwrittenBytes: Number(options["unwritten"] ?? 1_000_000),
        durable: options["durability"] === "disk", inFlightBatches: 2, inFlightChunks: 2, snapshotSliceBytes: 400, incrementalBytes: Number(options["incremental"] ?? 1_000_000),
      });
    },
    start: (words) => {
      const { numbers, options } = parse(words);
      const unlike = {
        ...(options["machine"] === undefined ? {} : { machine: options["machine"] }),
        ...(options["version"] === undefined ? {} : { version: Number(options["version"]) }),
        ...(options["slots"] === undefined ? {} : { slots: options["slots"].split(",").map(Number) }),
      };
      for (const slot of numbers) this.#in.start(slot, 100, undefined, unlike);
    },
    second: ([slot, how]) => {
      const second = how === undefined || how === "hangs" ? this.#in.startSecond(Number(slot), 200) : this.#second(slot);
      if (how === "hangs") second.frozen = true;
      else if (how === "leaves") this.#in.killSecond(second, "leave");
      else if (how === "shown") this.#notes.lines.push(describe(second));
    },
    ring: (words) => {
      const { numbers: [seq = 0, ...nodes], options } = parse(words);
      const ghosts = new Set((options["ghost"] ?? "").split(",").map(Number));
      this.#in.group.reform([nodes], () => false, (member) => ghosts.has(member.nodeId), BigInt(seq));
      for (const node of nodes) this.#hear(node);
    },
    send: ([node, count]) => { for (let left = Number(count ?? Number.POSITIVE_INFINITY); left > 0 && this.#in.group.transmit(Number(node)); left--); },
    deliver: ([node, count]) => {
      for (let left = Number(count ?? Number.POSITIVE_INFINITY); left > 0 && this.#in.group.deliver(Number(node)); left--);
      this.#hear(Number(node));
    },
    skip: ([node, count]) => { for (let left = Number(count ?? 1); left > 0; left--) if (!this.#in.group.skip(Number(node))) fail("nothing to step over"); },
    late: ([slot]) => this.#replica(slot).acknowledge(),
    run: () => this.#settle(),
    tick: ([time, ...slots]) => {
      for (let left = Number(time); left > 0; left -= stepMs) {
        for (const replica of slots.length > 0 ? slots.map((slot) => this.#replica(slot)) : this.#all()) if (!replica.frozen) replica.tick(Math.min(stepMs, left));
        if (slots.length === 0) this.#settle();
      }
    },
    submit: ([slot, ...names]) => { for (const name of names) this.#replica(slot).submit(name); },
    abandon: ([slot, n]) => this.#replica(slot).abandon(Number(n)),
    crash: (slots) => { for (const slot of slots) this.#in.kill(Number(slot), "procdown"); },
    stuck: (words) => {
      const slots = words.filter((word) => word !== "snapshots");
      for (const slot of slots) this.#disk(slot).stuck = slots.length < words.length ? "snapshots" : "all";
    },
    full: (slots) => {
      for (const slot of slots) {
        this.#disk(slot).stuck = "all";
        this.#in.replicas.get(Number(slot))?.dispatch({ type: "diskTrouble", failing: true });
      }
    },
    unstuck: (slots) => {
      for (const slot of slots) {
        this.#disk(slot).stuck = undefined;
        this.#in.replicas.get(Number(slot))?.dispatch({ type: "diskTrouble", failing: false });
        this.#in.replicas.get(Number(slot))?.writeDown();
      }
    },
    write: (slots) => { for (const slot of slots) this.#replica(slot).writeDown(); },
    sending: (slots) => { for (const slot of slots) this.#notes.lines.push(`${slot} is sending ${this.#in.group.node(Number(slot)).queue.length}`); },
    owes: (slots) => { for (const slot of slots) this.#notes.lines.push(`${slot} owes ${this.#replica(slot).core.awaited.length}`); },
    lose: ([slot]) => { this.#in.disks.set(Number(slot), new SimDisk()); },
    leave: ([slot]) => this.#in.kill(Number(slot), "leave"),
    down: ([node]) => {
      this.#in.group.takeDown(Number(node));
      this.#hear(Number(node));
    },
    up: ([node]) => {
      this.#in.group.bringUp(Number(node));
      const previous = this.#in.replicas.get(Number(node));
      this.#in.start(Number(node), 100, previous);
    },
    freeze: ([slot]) => { this.#replica(slot).frozen = true; },
    thaw: ([slot]) => {
      this.#replica(slot).frozen = false;
      this.#hear(Number(slot));
    },
    differs: ([slot]) => {
      const replica = this.#replica(slot);
      replica.dispatch({ type: "stateDiffers", position: replica.applier.position });
    },
    votes: (words) => this.#tellVotes(words),
    show: (slots) => { for (const slot of slots) this.#notes.lines.push(describe(this.#replica(slot))); },
  };

  get #in(): World {
    return this.#world ?? fail("nodes comes first");
  }

  #replica(slot: string | undefined): SimReplica {
    return this.#in.replicas.get(Number(slot)) ?? fail(`no replica runs on node ${slot}`);
  }

  #second(slot: string | undefined): SimReplica {
    return Array.from(this.#in.seconds).find((second) => second.slot === Number(slot)) ?? fail(`no second process runs on node ${slot}`);
  }

  #disk(slot: string): SimDisk {
    return this.#in.disks.get(Number(slot)) ?? fail(`node ${slot} has no disk`);
  }

  #all(): SimReplica[] {
    return [...this.#in.replicas.values(), ...this.#in.seconds];
  }

  #hear(node: number): void {
    for (const one of this.#all()) if (one.slot === node && !one.frozen) one.hear(Number.POSITIVE_INFINITY);
  }

  #settle(): void {
    const { group, options } = this.#in;
    for (let moved = true; moved;) {
      moved = false;
      for (const replica of this.#all()) if (!replica.frozen) replica.acknowledge();
      for (const replica of this.#all()) if (!replica.frozen && replica.writeDown()) moved = true;
      for (const slot of options.slots) while (group.transmit(slot)) moved = true;
      for (const slot of options.slots) {
        while (group.deliver(slot)) moved = true;
        this.#hear(slot);
      }
    }
  }

  #tellVotes(words: readonly string[]): void {
    const { numbers, options, votes } = parse(words);
    for (const slot of numbers) {
      const replica = this.#replica(String(slot));
      const ring = replica.core.ring ?? fail(`replica ${slot} is in no ring`);
      replica.dispatch({
        type: "quorum", ring: options["of"] === undefined ? ring : { ...ring, seq: BigInt(options["of"]) },
        report: {
          quorate: !words.includes("inquorate"), twoNode: words.includes("two-node"), shrinks: words.includes("shrinks"), votes,
          quorum: Number(options["quorum"] ?? 2), deviceVotes: Number(options["device"] ?? 0),
        },
      });
      replica.flush();
    }
  }
}

/** Numbers; pairs of a name and a value; votes as node=votes. */
function parse(words: readonly string[]): { numbers: number[]; options: Readonly<Record<string, string>>; votes: (readonly [number, number])[] } {
  const numbers: number[] = [];
  const options: Record<string, string> = {};
  const votes: (readonly [number, number])[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    const [node, count] = word.split("=");
    if (count !== undefined) votes.push([Number(node), Number(count)]);
    else if (/^\d+$/.test(word)) numbers.push(Number(word));
    else if (word !== "two-node" && word !== "shrinks" && word !== "inquorate") options[word] = words[++at] ?? fail(`${word} what?`);
  }
  return { numbers, options, votes };
}

function describe(replica: SimReplica): string {
  const { core, applier } = replica;
  const slot = nameOf(replica);
  if (replica.stopped instanceof LockstepError) return `${slot} stopped: ${replica.stopped.code}`;
  const notes = [core.lineage ? "" : ", no lineage", core.holed ? ", holed" : "", core.pending.length > 0 ? `, ${core.pending.length} pending` : ""].join("");
  return `${slot} ${core.phase} in ${formatBallot(core.ballot)}: end ${core.log.end}, verified ${core.verified}, committed ${core.committed}, applied ${applier.position}${notes}`;
}

function fail(what: string): never {
  throw new Error(what);
}
