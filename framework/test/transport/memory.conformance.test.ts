/** The in-process group keeps what every transport promises. */
import { afterAll, describe, expect, it } from "vitest";
import { localMember, registerConformance } from "../../src/transport/conformance.js";
import type { ConformanceBed, ConformanceMember } from "../../src/transport/conformance.js";
import type { MemberAddress } from "../../src/transport/group-transport.js";
import { MemoryNetwork, memory } from "../../src/transport/memory/index.js";

function memoryBed(network: MemoryNetwork): ConformanceBed {
  const addresses = new Map<ConformanceMember, MemberAddress>();
  const addressOf = (member: ConformanceMember): MemberAddress => addresses.get(member) as MemberAddress;
  return {
    nodes: network.nodes,
    tellsQuorum: true,
    timeoutMs: 5_000,
    open: async (nodeId) => {
      const member = localMember(memory({ network, nodeId }));
      const join = member.join.bind(member);
      member.join = async (group) => {
        const address = await join(group);
        addresses.set(member, address);
        return address;
      };
      return member;
    },
    network: {
      cut: async (sides) => { network.cut(sides); },
      heal: async () => { network.heal(); },
    },
    processes: {
      kill: async (member) => { network.crash(addressOf(member)); },
      freeze: async (member) => { network.pause(addressOf(member).nodeId); },
      thaw: async (member) => { network.resume(addressOf(member).nodeId); },
    },
    nodeFaults: {
      kill: async (nodeId) => { network.kill(nodeId); },
      start: async (nodeId) => { network.start(nodeId); },
    },
  };
}

const leftOut = registerConformance({ describe, it }, "memory()", memoryBed(new MemoryNetwork({ nodes: 3 })));
const busyLeftOut = registerConformance({ describe, it }, "memory() with small queues and batches", memoryBed(new MemoryNetwork({ nodes: 3, limits: { queueBytes: 2_000, batchBytes: 3_000 } })));

afterAll(() => {
  expect([...leftOut, ...busyLeftOut]).toEqual([]);
});
