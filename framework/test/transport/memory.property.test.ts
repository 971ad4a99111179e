/** Whatever happens to an in-process network, its members are told one consistent story. */
import * as fc from "fast-check";
import { expect, it } from "vitest";
import type { MemberEvent } from "../../src/transport/conformance.js";
import { encodePayload } from "../../src/transport/conformance/payload.js";
import { Recorder } from "../../src/transport/conformance/recorder.js";
import type { GroupTransport, MemberAddress } from "../../src/transport/group-transport.js";
import { MemoryNetwork, memory } from "../../src/transport/memory/index.js";
import { turns } from "./transcript.js";

const nodes = [1, 2, 3, 4] as const;

interface Player {
  readonly nodeId: number;
  readonly transport: GroupTransport;
  readonly recorder: Recorder;
  address: MemberAddress | undefined;
}

/** One run: the network, who ever was in it, and what was sent. */
class Play {
  readonly network = new MemoryNetwork({ nodes, limits: { queueBytes: 2_000, batchBytes: 500, heldBytes: 3_000 } });
  readonly players: Player[] = [];
  /** Text of each message that was taken, by its sender. */
  readonly taken = new Map<Player, string[]>();

  async join(nodeId: number): Promise<void> {
    const player: Player = { nodeId, transport: memory({ network: this.network, nodeId }), recorder: new Recorder(), address: undefined };
    this.players.push(player);
    // A join may be overtaken by its node's end: then it rejects, and the player was never there.
    player.transport.join("g", player.recorder).then((address) => { player.address = address; return undefined; }, () => undefined);
    await turns(1);
  }

  multicast(index: number): void {
    const player = this.players[index % Math.max(1, this.players.length)];
    if (player === undefined || !player.recorder.isMember) return;
    const own = this.taken.get(player) ?? [];
    const text = `${String(this.players.indexOf(player))}:${String(own.length)}`;
    try {
      player.recorder.multicasting = true;
      if (player.transport.multicast(encodePayload(text, 40)) === "queued") this.taken.set(player, [...own, text]);
    } catch (error) {
      // Killed or leaving, and its listener is yet to hear of it.
      expect(error).toMatchObject({ code: "TRANSPORT_CLOSED" });
    } finally {
      player.recorder.multicasting = false;
    }
  }

  async mendAndDrain(): Promise<void> {
    for (const nodeId of nodes) {
      this.network.start(nodeId);
      this.network.resume(nodeId);
    }
    this.network.heal();
    await turns(200);
  }
}

type Step = (play: Play) => Promise<void> | void;

const node = fc.constantFrom(...nodes);
const index = fc.nat(9);
const sides = fc.tuple(...nodes.map(() => fc.nat(2))).map((side) => [0, 1, 2].map((which) => nodes.filter((_, at) => side[at] === which)).filter((each) => each.length > 0));
const step: fc.Arbitrary<readonly [string, Step]> = fc.oneof(
  { weight: 12, arbitrary: index.map((at) => [`multicast ${String(at)}`, (play: Play) => { play.multicast(at); }] as const) },
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 3 }).map((count) => [`turns ${String(count)}`, async () => turns(count)] as const) },
  { weight: 4, arbitrary: node.map((nodeId) => [`join ${String(nodeId)}`, async (play: Play) => play.join(nodeId)] as const) },
  { weight: 2, arbitrary: sides.map((each) => [`cut ${JSON.stringify(each)}`, (play: Play) => { play.network.cut(each); }] as const) },
  ...(["pause", "resume", "crash", "kill", "start", "renewRing"] as const).map((fault) => ({ weight: 1, arbitrary: node.map((nodeId) => [`${fault} ${String(nodeId)}`, (play: Play) => { play.network[fault](nodeId); }] as const) })),
  { weight: 2, arbitrary: index.map((at) => [`leave ${String(at)}`, (play: Play) => { play.players[at]?.transport.leave().catch(() => undefined); }] as const) },
  { weight: 1, arbitrary: fc.constant(["heal", (play: Play) => { play.network.heal(); }] as const) },
);

const script = fc.array(step, { minLength: 5, maxLength: 60 });

it("nobody is told anything impossible, messages come once and in their sender's order, and in one order to all on a ring", async () => {
  await fc.assert(fc.asyncProperty(script, async (steps) => {
    const play = new Play();
    for (const [, act] of steps) await act(play);
    await play.mendAndDrain();
    for (const { recorder } of play.players) {
      recorder.checkKept();
      expect(recorder.violations).toEqual([]);
    }
    expectOwnOrder(play);
    expectMembersOnly(play);
    expectOneOrderPerRing(play);
    expectSurvivorsAgree(play);
    expectNothingLost(play);
  }), { numRuns: 1000 });
});

const textsOf = (events: readonly MemberEvent[]): string[] => events.filter((event) => event.kind === "message").map((event) => event.text);

function expectOwnOrder(play: Play): void {
  for (const { recorder } of play.players) {
    for (const sender of play.players.keys()) {
      const indices = textsOf(recorder.events).filter((text) => text.startsWith(`${String(sender)}:`)).map((text) => Number(text.split(":")[1]));
      expect(indices).toEqual([...new Set(indices)].sort((a, b) => a - b));
    }
  }
}

/** A message comes while its sender is a member: never before it joined or after it went. */
function expectMembersOnly(play: Play): void {
  for (const { recorder } of play.players) {
    let members: readonly MemberAddress[] = [];
    for (const event of recorder.events) {
      if (event.kind === "change") members = event.members;
      if (event.kind === "message") expect(members).toContainEqual(event.sender);
    }
  }
}

/** Members that go through the same ring with the same members are told the same messages in it: "same view, same messages". */
function expectOneOrderPerRing(play: Play): void {
  const told = new Map<string, string[][]>();
  for (const { recorder } of play.players) {
    for (const [view, texts] of wholeViews(recorder)) told.set(view, [...told.get(view) ?? [], texts]);
  }
  for (const each of told.values()) for (const texts of each) expect(texts).toEqual(each[0]);
}

/**
 * The messages of each view, which is a ring, its members, and how often they have been these, that this member saw the end of, or is
 * still in. Who is in one was in all earlier ones of the same members, so that all count alike.
 */
function wholeViews(recorder: Recorder): Map<string, string[]> {
  const views = new Map<string, string[]>();
  const times = new Map<string, number>();
  let ring = "";
  let members = "";
  let last = "";
  for (const event of recorder.events) {
    if (event.kind === "ring") ring = `${String(event.id.seq)} of ${String(event.id.nodeId)}`;
    if (event.kind === "change") members = event.members.map(({ nodeId, pid }) => `${String(nodeId)}.${String(pid)}`).join(" ");
    const these = `${ring}: ${members}`;
    if (these !== last) times.set(these, (times.get(these) ?? 0) + 1);
    last = these;
    const view = `${these}, ${String(times.get(these))}`;
    if (!views.has(view)) views.set(view, []);
    if (event.kind === "message") views.get(view)?.push(event.text);
  }
  // Killed in the middle of its last one.
  if (!recorder.isMember) views.delete(`${last}, ${String(times.get(last))}`);
  return views;
}

function expectSurvivorsAgree(play: Play): void {
  const survivors = play.players.filter(({ recorder }) => recorder.isMember);
  const addresses = survivors.map(({ address }) => address);
  for (const { recorder } of survivors) {
    expect(new Set(recorder.events.findLast((event) => event.kind === "change")?.members)).toEqual(new Set(addresses));
    expect(recorder.events.findLast((event) => event.kind === "ring")).toMatchObject({ id: play.network.ring(1)?.id, nodes });
  }
}

/** Without its own end a member hears all that it sent itself, whatever the network did. */
function expectNothingLost(play: Play): void {
  for (const player of play.players) {
    if (!player.recorder.isMember) continue;
    const own = `${String(play.players.indexOf(player))}:`;
    expect(textsOf(player.recorder.events).filter((text) => text.startsWith(own))).toEqual(play.taken.get(player) ?? []);
  }
}
