/** What the OpenAPI document says besides the routes, which say the rest themselves. */
import type { FastifyDynamicSwaggerOptions } from "@fastify/swagger";
import { lockServiceVersion } from "./version.js";

type Transform = NonNullable<FastifyDynamicSwaggerOptions["transformObject"]>;
type Document = Extract<Parameters<Transform>[0], { openapiObject: unknown }>["openapiObject"];

export const openApiOptions: FastifyDynamicSwaggerOptions = {
  // Consul's interface is documented by Consul.
  hideUntagged: true,
  openapi: {
    openapi: "3.1.0",
    info: {
      title: "Lockstep lock service", version: lockServiceVersion,
      description: "Locks, semaphores and elections with fencing tokens. Every replica answers every call. " +
        "503: certainly not done; ask again, or another replica. 504: it may have been done; the same again, under its id, tells.",
    },
    components: { securitySchemes: { bearer: { type: "http", scheme: "bearer", description: "Only of a service that was started with --auth." } } },
    security: [{ bearer: [] }],
  },
  transformObject: (document) => ("openapiObject" in document ? optionalBodies(document.openapiObject) : document.swaggerObject),
};

/** The document's maker takes every body for required. */
function optionalBodies(document: Document): Document {
  for (const path of Object.values(document.paths ?? {})) {
    for (const operation of [path?.post, path?.delete]) {
      const body = operation?.requestBody;
      if (body === undefined || !("content" in body)) continue;
      const schema = body.content["application/json"]?.schema;
      body.required = schema !== undefined && "required" in schema && schema.required !== undefined;
    }
  }
  return document;
}
