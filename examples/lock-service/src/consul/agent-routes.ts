/** What clients look up about the server itself. There is no leader: every replica takes everything, so each names itself. */
import type { FastifyReply } from "fastify";
import { lockServiceVersion } from "../server/version.js";
import type { Service } from "../server/service.js";
import { datacenter, type ConsulCall } from "./call.js";
import { permissionDenied } from "./consul-error.js";
import { ownNode, presentNodes, type Node } from "./nodes.js";
import { read, type Contact } from "./reads.js";

/** The version whose interface this is, for clients that ask before they use something; what follows it is not Consul. */
const consulVersion = "1.20.0";

export async function agentSelf(call: ConsulCall): Promise<FastifyReply> {
  const { service, principal } = call;
  if (!principal.mayAnywhere("read")) throw permissionDenied();
  const { name, id } = ownNode(service);
  const build = `${consulVersion}+lockstep.${lockServiceVersion}`;
  return call.json({
    Config: { Datacenter: datacenter, PrimaryDatacenter: datacenter, NodeName: name, NodeID: id, Revision: "", Server: true, Version: build, BuildDate: "1970-01-01T00:00:00Z" },
    Member: { Name: name, Addr: service.host, Port: service.port, Tags: { role: "consul", dc: datacenter, id, build }, Status: 1 },
    Stats: {},
    Meta: {},
  });
}

/** Empty without a majority, as of a server that knows no leader. */
export async function statusLeader(call: ConsulCall, contact: Contact): Promise<FastifyReply> {
  return call.json(contact.known ? addressOf(call.service) : "");
}

export async function statusPeers(call: ConsulCall, contact: Contact): Promise<FastifyReply> {
  return call.json(contact.known ? [addressOf(call.service)] : []);
}

/** Of the others, the addresses are not known here. */
export async function catalogNodes(call: ConsulCall, contact: Contact): Promise<FastifyReply> {
  if (!call.principal.mayAnywhere("read")) throw permissionDenied();
  const own = ownNode(call.service);
  const nodes = await read(call, contact, { part: () => undefined, read: () => ({ index: 1, found: true, content: presentNodes(call.service) }) });
  return call.json(nodes.map((node) => nodeJson(node, node.slot === own.slot ? call.service.host : "")));
}

function nodeJson({ id, name }: Node, address: string): { readonly [name: string]: string | number | Record<string, string> } {
  return { ID: id, Node: name, Address: address, Datacenter: datacenter, TaggedAddresses: address === "" ? {} : { lan: address, wan: address }, Meta: {}, CreateIndex: 1, ModifyIndex: 1 };
}

function addressOf({ host, port }: Service): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
