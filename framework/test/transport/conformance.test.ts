/** The conformance suite finds transports that break their promises: each fault here is put into one that keeps them. */
import { describe, expect, it, vi } from "vitest";
import { conformanceCases, registerConformance, runConformanceCase } from "../../src/transport/conformance.js";
import type { ConfigurationChange, Delivery, GroupListener, GroupTransport } from "../../src/transport/group-transport.js";
import { MemoryNetwork } from "../../src/transport/memory/index.js";
import { memoryBed } from "./memory-bed.js";

/** Long enough for a transport in this process where other processes have the cores, short enough to wait for what never comes. */
const patienceMs = 2_000;

/** A transport that passes everything through, for a fault to be put into. */
function passing(inner: GroupTransport): GroupTransport {
  return {
    maxMessageBytes: inner.maxMessageBytes,
    configuredNodes: async () => inner.configuredNodes(),
    join: async (group, listener) => inner.join(group, listener),
    multicast: (message) => inner.multicast(message),
    leave: async () => inner.leave(),
    close: async () => inner.close(),
  };
}

function telling(inner: GroupTransport, change: (listener: GroupListener) => Partial<GroupListener>): GroupTransport {
  const join = async (group: string, listener: GroupListener): ReturnType<GroupTransport["join"]> => {
    const whole: GroupListener = {
      deliver: (messages) => { listener.deliver(messages); },
      configurationChanged: (event) => { listener.configurationChanged(event); },
      ringChanged: (ring, nodes) => { listener.ringChanged(ring, nodes); },
      quorumChanged: (quorate, ring) => { listener.quorumChanged(quorate, ring); },
      writable: () => { listener.writable(); },
      closed: (error) => { listener.closed(error); },
    };
    return inner.join(group, { ...whole, ...change(listener) });
  };
  return { ...passing(inner), join };
}

function doing(inner: GroupTransport, change: Partial<GroupTransport>): GroupTransport {
  return { ...passing(inner), ...change };
}

/** Keeps the last message of each batch until something follows; `fate` says what becomes of it when that is a change. */
function holding(inner: GroupTransport, fate: (held: Delivery, change: ConfigurationChange) => "told" | "lost" | "late"): GroupTransport {
  return telling(inner, (listener) => {
    let held: Delivery | undefined;
    const release = (): void => {
      if (held === undefined) return;
      const message = held;
      held = undefined;
      listener.deliver([message]);
    };
    return {
      deliver: (messages) => {
        release();
        if (messages.length > 1) listener.deliver(messages.slice(0, -1));
        const last = messages.at(-1);
        held = last;
        // When nothing comes it is told all the same: only changes show the fault.
        setTimeout(() => { if (held === last) release(); }, 3);
      },
      configurationChanged: (change) => {
        const what = held === undefined ? "told" : fate(held, change);
        if (what === "told") release();
        if (what === "lost") held = undefined;
        listener.configurationChanged(change);
        release();
      },
      ringChanged: (ring, nodes) => { release(); listener.ringChanged(ring, nodes); },
      writable: () => { release(); listener.writable(); },
      closed: (error) => { release(); listener.closed(error); },
    };
  });
}

interface Fault {
  readonly what: string;
  readonly broken: (inner: GroupTransport, nodeId: number) => GroupTransport;
  /** Part of the name of a case that must find it. */
  readonly foundBy: string;
  readonly saying: RegExp;
}

const underLoad = "while all send at once";

const comesAndGoes = "while a member comes and goes under load";
/** Those whose transport is closed, and that hear on. */
const eavesdroppers: GroupListener[] = [];
/** How often a node's transport was opened. */
const openings = new Map<number, number>();

const faults: readonly Fault[] = [
  {
    what: "loses the last message before others leave",
    broken: (inner) => holding(inner, (_, { left }) => left.length > 0 ? "lost" : "told"),
    foundBy: comesAndGoes, saying: /different things|messages of the load are missing/,
  },
  {
    what: "loses the last message before others join",
    broken: (inner, nodeId) => holding(inner, (held, { joined }) => joined.length > 0 && held.sender.nodeId !== nodeId ? "lost" : "told"),
    foundBy: comesAndGoes, saying: /different things|messages of the load are missing/,
  },
  {
    what: "loses the last message before a process is known to be killed",
    broken: (inner) => holding(inner, (_, { left }) => left.some(({ reason }) => reason === "procdown") ? "lost" : "told"),
    foundBy: "while processes are killed under load", saying: /different things|messages of the load are missing/,
  },
  {
    what: "delivers a member's own messages late, behind a change that came after them",
    broken: (inner, nodeId) => holding(inner, ({ sender }, { left }) => left.length > 0 && sender.nodeId === nodeId ? "late" : "told"),
    foundBy: comesAndGoes, saying: /different things/,
  },
  {
    what: "delivers others' messages in the next configuration",
    broken: (inner, nodeId) => holding(inner, ({ sender }) => sender.nodeId !== nodeId ? "late" : "told"),
    foundBy: comesAndGoes, saying: /different things|was not told what the others were told/,
  },
  {
    what: "goes on delivering to who has closed it",
    broken: (inner) => {
      let own: GroupListener | undefined;
      const tapped = telling(inner, (listener) => {
        own = listener;
        return { deliver: (messages) => { listener.deliver(messages); for (const eavesdropper of eavesdroppers) if (eavesdropper !== listener) eavesdropper.deliver(messages); } };
      });
      return { ...tapped, close: async () => { await inner.close(); if (own !== undefined) eavesdroppers.push(own); } };
    },
    foundBy: "close() leaves, can be repeated", saying: /deliver\(\) came after closed\(\)/,
  },
  {
    what: "counts the rings of a node anew when it starts again",
    broken: (inner, nodeId) => {
      const opening = (openings.get(nodeId) ?? 0) + 1;
      openings.set(nodeId, opening);
      return telling(inner, (listener) => ({ ringChanged: (ring, nodes) => { listener.ringChanged(opening === 1 ? ring : { ...ring, seq: ring.seq - 1_000n }, nodes); } }));
    },
    foundBy: "when its node's group communication ends", saying: /only grow along the history/,
  },
  {
    what: "calls writable() once, and never again",
    broken: (inner) => telling(inner, (listener) => {
      let called = false;
      return { writable: () => { if (!called) listener.writable(); called = true; } };
    }),
    foundBy: "a full queue", saying: /writable\(\) after it/,
  },
  {
    what: "uses the memory of large messages again",
    broken: (inner) => {
      const memory = new Uint8Array(inner.maxMessageBytes);
      const lent = (message: Delivery): Delivery => {
        if (message.data.byteLength < 100_000) return message;
        memory.set(message.data);
        return { ...message, data: memory.subarray(0, message.data.byteLength) };
      };
      return telling(inner, (listener) => ({ deliver: (messages) => { for (const message of messages) listener.deliver([lent(message)]); } }));
    },
    foundBy: "a message of maxMessageBytes", saying: /overwritten after it was delivered/,
  },
  {
    what: "turns the order within a batch round on one node",
    broken: (inner, nodeId) => telling(inner, (listener) => nodeId === 3 ? { deliver: (messages) => { listener.deliver(messages.toReversed()); } } : {}),
    foundBy: underLoad, saying: /different orders/,
  },
  {
    what: "turns each sender's order round on all nodes",
    broken: (inner) => telling(inner, (listener) => ({ deliver: (messages) => { listener.deliver(messages.toReversed()); } })),
    foundBy: underLoad, saying: /1:0/,
  },
  {
    what: "loses a message of each batch on one node",
    broken: (inner, nodeId) => telling(inner, (listener) => nodeId === 2 ? { deliver: (messages) => { if (messages.length > 1) listener.deliver(messages.slice(1)); } } : {}),
    foundBy: underLoad, saying: /all messages to come/,
  },
  {
    what: "delivers messages twice",
    broken: (inner) => telling(inner, (listener) => ({ deliver: (messages) => { listener.deliver([...messages, ...messages]); } })),
    foundBy: "a message comes to all members", saying: /hello/,
  },
  {
    what: "names the wrong sender",
    broken: (inner) => telling(inner, (listener) => ({ deliver: (messages) => { listener.deliver(messages.map(({ data }) => ({ data, sender: { nodeId: 1, pid: 1 } }))); } })),
    foundBy: "a message comes to all members", saying: /sender/,
  },
  {
    what: "delivers from inside multicast()",
    broken: (inner, nodeId) => {
      let own: GroupListener | undefined;
      return doing(inner, {
        join: async (group, listener) => { own = listener; return inner.join(group, listener); },
        multicast: (message) => {
          own?.deliver([{ sender: { nodeId, pid: 1 }, data: new Uint8Array(message) }]);
          return inner.multicast(message);
        },
      });
    },
    foundBy: "from inside deliver()", saying: /deliver\(\) came from inside multicast\(\)/,
  },
  {
    what: "writes into data it has delivered",
    broken: (inner) => telling(inner, (listener) => ({
      deliver: (messages) => {
        const copies = messages.map(({ sender, data }) => ({ sender, data: new Uint8Array(data) }));
        listener.deliver(copies);
        setImmediate(() => { for (const { data } of copies) data.fill(0); });
      },
    })),
    foundBy: underLoad, saying: /overwritten after it was delivered/,
  },
  {
    what: "sends from the sender's buffer later instead of copying it",
    broken: (inner) => doing(inner, { multicast: (message) => { setImmediate(() => { inner.multicast(message); }); return "queued"; } }),
    foundBy: "a message comes to all members", saying: /arrived damaged|Waited in vain/,
  },
  {
    what: "resolves join() before telling the listener",
    broken: (inner, nodeId) => doing(inner, { join: async (group, listener) => { inner.join(group, listener).catch(() => undefined); return { nodeId, pid: 1 }; } }),
    foundBy: "join() resolves", saying: /resolved before configurationChanged/,
  },
  {
    what: "lists all members as joined in a joiner's first change",
    broken: (inner) => telling(inner, (listener) => {
      let first = true;
      return {
        configurationChanged: (event) => {
          const joined = first ? event.members.map(({ nodeId, pid }) => ({ nodeId, pid, reason: "join" as const })) : event.joined;
          first = false;
          listener.configurationChanged({ ...event, joined });
        },
      };
    }),
    foundBy: "a joiner's first change", saying: /joined/,
  },
  {
    what: "keeps those that left in the member list",
    broken: (inner) => telling(inner, (listener) => ({ configurationChanged: (event) => { listener.configurationChanged({ ...event, members: [...event.members, ...event.left] }); } })),
    foundBy: "leave() is told", saying: /is still in/,
  },
  {
    what: "calls a killed process one that left",
    broken: (inner) => telling(inner, (listener) => ({
      configurationChanged: (event) => { listener.configurationChanged({ ...event, left: event.left.map(({ nodeId, pid }) => ({ nodeId, pid, reason: "leave" as const })) }); },
    })),
    foundBy: "a killed process", saying: /procdown/,
  },
  {
    what: "tells the ring before the change it ends",
    broken: (inner) => telling(inner, (listener) => {
      const held: (() => void)[] = [];
      let changes = 0;
      return {
        configurationChanged: (event) => {
          changes += 1;
          if (changes > 1 && event.left.some(({ reason }) => reason === "nodedown")) held.push(() => { listener.configurationChanged(event); });
          else listener.configurationChanged(event);
        },
        ringChanged: (ring, nodes) => {
          listener.ringChanged(ring, nodes);
          for (const tell of held.splice(0)) tell();
        },
      };
    }),
    foundBy: "members that are cut off", saying: /does not end the change/,
  },
  {
    what: "tells the ring twice",
    broken: (inner) => telling(inner, (listener) => ({ ringChanged: (ring, nodes) => { listener.ringChanged(ring, nodes); listener.ringChanged(ring, nodes); } })),
    foundBy: "after a member's first change", saying: /ring \d+ came after ring/,
  },
  {
    what: "gives each member another ring id",
    broken: (inner, nodeId) => telling(inner, (listener) => ({ ringChanged: (ring, nodes) => { listener.ringChanged({ ...ring, seq: ring.seq + BigInt(nodeId) }, nodes); } })),
    foundBy: "after a member's first change", saying: /seq/,
  },
  {
    what: "goes on talking after closed()",
    broken: (inner) => telling(inner, (listener) => ({ closed: (error) => { listener.closed(error); listener.writable(); } })),
    foundBy: "after leave() closed() comes last", saying: /writable\(\) came after closed\(\)/,
  },
  {
    what: "does not call closed() after leave()",
    broken: (inner) => telling(inner, () => ({ closed: () => undefined })),
    foundBy: "after leave() closed() comes last", saying: /closed\(\) to come/,
  },
  {
    what: "never calls writable()",
    broken: (inner) => telling(inner, () => ({ writable: () => undefined })),
    foundBy: "a full queue", saying: /writable\(\)/,
  },
  {
    what: "takes messages before join(), and drops them",
    broken: (inner) => doing(inner, {
      multicast: (message) => {
        try {
          return inner.multicast(message);
        } catch {
          return "queued";
        }
      },
    }),
    foundBy: "multicast() before join()", saying: /too early|before join\(\) was refused "not at all"/,
  },
  {
    what: "cuts messages that are too large",
    broken: (inner) => doing(inner, { multicast: (message) => inner.multicast(message.subarray(0, inner.maxMessageBytes)) }),
    foundBy: "a message of maxMessageBytes", saying: /maxMessageBytes was refused "not at all"/,
  },
  {
    what: "pretends to join a second time",
    broken: (inner, nodeId) => doing(inner, { join: async (group, listener) => inner.join(group, listener).catch(() => ({ nodeId, pid: 1 })) }),
    foundBy: "a second join()", saying: /not at all/,
  },
  {
    what: "refuses with an untyped error",
    broken: (inner) => doing(inner, { join: async (group, listener) => inner.join(group, listener).catch(() => { throw new Error("no"); }) }),
    foundBy: "a group name that is empty", saying: /not with a LockstepError/,
  },
  {
    what: "lets close() fail the second time",
    broken: (inner) => {
      let closed = false;
      return doing(inner, {
        close: async () => {
          if (closed) throw new Error("already closed");
          closed = true;
          await inner.close();
        },
      });
    },
    foundBy: "close() leaves, can be repeated", saying: /already closed/,
  },
  {
    what: "knows only of its own node",
    broken: (inner, nodeId) => doing(inner, { configuredNodes: async () => [nodeId] }),
    foundBy: "configuredNodes()", saying: /deep-equal/,
  },
  {
    what: "calls a minority quorate",
    broken: (inner) => telling(inner, (listener) => ({ quorumChanged: (_, ring) => { listener.quorumChanged(true, ring); } })),
    foundBy: "a majority is quorate", saying: /the minority not/,
  },
  {
    what: "gives a message twice when the ring changes",
    broken: (inner) => telling(inner, (listener) => {
      let last: Parameters<GroupListener["deliver"]>[0] = [];
      return {
        deliver: (messages) => { last = messages; listener.deliver(messages); },
        ringChanged: (ring, nodes) => {
          listener.ringChanged(ring, nodes);
          if (last.length > 0) listener.deliver(last);
        },
      };
    }),
    foundBy: "through cuts under load", saying: /behind message/,
  },
];

describe("the conformance suite", () => {
  it.each(faults)("finds a transport that $what", async ({ broken, foundBy, saying }) => {
    const found = conformanceCases.find(({ name }) => name.includes(foundBy));
    if (found === undefined) throw new Error(`there is no case "${foundBy}"`);
    const sound = memoryBed(new MemoryNetwork({ nodes: 3 }), 60_000);
    await runConformanceCase(sound, found);
    const bed = memoryBed(new MemoryNetwork({ nodes: 3 }), patienceMs, broken);
    await expect(runConformanceCase(bed, found)).rejects.toThrow(saying);
  });

  it("reports what a bed cannot do instead of passing over it", () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    try {
      const { processes, nodeFaults, ...plain } = memoryBed(new MemoryNetwork({ nodes: 3 }), patienceMs);
      expect([processes, nodeFaults]).not.toContain(undefined);
      const declared: string[] = [];
      const api = { describe: (_: string, declare: () => void) => { declare(); }, it: (name: string) => { declared.push(name); } };
      const leftOut = registerConformance(api, "mine", { ...plain, tellsQuorum: false });
      expect(declared.length + leftOut.length).toBe(conformanceCases.length);
      expect(new Set(leftOut.flatMap(({ missing }) => missing))).toEqual(new Set(["processes", "nodeFaults", "tellsQuorum"]));
      expect(warn).toHaveBeenCalledTimes(leftOut.length);
      expect(warn).toHaveBeenCalledWith("Not checked for mine, for want of nodeFaults: when its node's group communication ends, a member is closed with an error, and the others see nodedown");
    } finally {
      warn.mockRestore();
    }
  });
});
