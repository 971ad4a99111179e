/** The in-process group as a bed of the conformance suite, with every fault. */
import { localMember } from "../../src/transport/conformance.js";
import type { ConformanceBed, ConformanceMember } from "../../src/transport/conformance.js";
import type { GroupTransport, MemberAddress } from "../../src/transport/group-transport.js";
import { memory } from "../../src/transport/memory/index.js";
import type { MemoryNetwork } from "../../src/transport/memory/index.js";

/** @param wrap puts something between the suite and the transport. */
export function memoryBed(network: MemoryNetwork, timeoutMs: number, wrap: (transport: GroupTransport, nodeId: number) => GroupTransport = (transport) => transport): ConformanceBed {
  const addresses = new Map<ConformanceMember, MemberAddress>();
  const addressOf = (member: ConformanceMember): MemberAddress => addresses.get(member) as MemberAddress;
  return {
    nodes: network.nodes,
    tellsQuorum: true,
    timeoutMs,
    open: async (nodeId) => {
      const member = localMember(wrap(memory({ network, nodeId }), nodeId));
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
