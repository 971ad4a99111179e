/** Who waits for whom: as JSON, and as pictures. */
import { Type } from "typebox";
import { waitForGraph, type WaitForGraph } from "../../machine/views.js";
import type { FastifyRequest } from "fastify";
import { demand, type App } from "../app.js";
import { dotOf, svgOf } from "../graph-picture.js";
import { closed, Consistency, errorAnswers, listOf, GraphEdge, LockPrefix, readCodes } from "../schemas.js";
import type { ReadConsistency, Service } from "../service.js";

const Query = closed({ prefix: Type.Optional(LockPrefix), consistency: Type.Optional(Consistency) });

export function graphRoutes(app: App, service: Service): void {
  const graphFor = async (call: FastifyRequest, { prefix = "", consistency = "linearizable" }: { readonly prefix?: string; readonly consistency?: ReadConsistency }): Promise<WaitForGraph> => {
    demand(call.principal.may("read", prefix), call, `read locks that begin with ${JSON.stringify(prefix)}`);
    return waitForGraph(await service.read(consistency), { prefix });
  };

  app.get("/v1/graph", {
    schema: {
      operationId: "graph", tags: ["graph"], summary: "The wait-for graph", querystring: Query,
      response: { 200: closed({ edges: listOf(GraphEdge), truncated: Type.Boolean({ description: "There are more edges than these." }) }), ...errorAnswers(...readCodes) },
    },
  }, (call) => graphFor(call, call.query));

  app.get("/v1/graph.svg", {
    schema: { operationId: "graphSvg", tags: ["graph"], summary: "The wait-for graph as a picture", querystring: Query, response: { 200: picture("image/svg+xml"), ...errorAnswers(...readCodes) } },
  }, async (call, reply) => reply.type("image/svg+xml").header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'").send(svgOf(await graphFor(call, call.query))));

  app.get("/v1/graph.dot", {
    schema: { operationId: "graphDot", tags: ["graph"], summary: "The wait-for graph for Graphviz", querystring: Query, response: { 200: picture("text/vnd.graphviz"), ...errorAnswers(...readCodes) } },
  }, async (call, reply) => reply.type("text/vnd.graphviz").send(dotOf(await graphFor(call, call.query))));
}

function picture(type: string) {
  return { description: "The picture.", content: { [type]: { schema: Type.String() } } };
}
