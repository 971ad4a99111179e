/**
 * The OpenAPI document as a judge: an answer that it does not foresee (route, status, media type, body) is an error. What was answered
 * is remembered, to tell what the tests have not seen.
 */
import { Compile } from "typebox/schema";

interface Answer {
  readonly description?: string;
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

/** As far as it is looked into here. */
interface Schema {
  readonly properties?: { readonly error?: { readonly properties: { readonly code: { readonly enum: readonly string[] } } } };
}

interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, Answer>>;
}

export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

export class Document {
  readonly #operations: readonly { readonly method: string; readonly pattern: RegExp; readonly operation: Operation }[];
  readonly #checks = new Map<string, { Check: (value: unknown) => boolean; Errors: (value: unknown) => unknown }>();
  /** "operationId status CODE" of what was answered; without a code where it was no error. */
  readonly seen = new Set<string>();

  constructor({ paths }: OpenApi) {
    this.#operations = Object.entries(paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(), pattern: new RegExp(`^${path.replaceAll(".", String.raw`\.`).replaceAll(/\{\w+\}/g, "[^/]+")}$`), operation,
    })));
  }

  /** All that may be answered, in the words of `seen`. */
  get foreseen(): readonly string[] {
    return this.#operations.flatMap(({ operation: { operationId, responses } }) => Object.entries(responses).flatMap(([status, { content }]) => {
      const codes = content?.["application/json"]?.schema.properties?.error?.properties.code.enum;
      return codes === undefined ? [`${operationId} ${status}`] : codes.map((code) => `${operationId} ${status} ${code}`);
    }));
  }

  get operationIds(): readonly string[] {
    return this.#operations.map(({ operation }) => operation.operationId);
  }

  /** @throws Error that says what the document does not foresee. */
  judge(method: string, path: string, status: number, type: string | null, body: unknown): void {
    const found = this.#operations.find((each) => each.method === method && each.pattern.test(path.split("?")[0] ?? ""));
    if (found === undefined) {
      if (status === 404 && codeOf(body) === "NO_SUCH_ROUTE") return;
      throw new Error(`${method} ${path} is not in the document, and was answered with ${status}`);
    }
    const { operationId, responses } = found.operation;
    const what = `${operationId} ${status}`;
    const media = type?.split(";")[0] ?? "";
    const schema = responses[status]?.content?.[media]?.schema;
    if (schema === undefined) throw new Error(`${method} ${path} was answered with ${status} ${media}, which is not documented: ${JSON.stringify(body)}`);
    const check = this.#checks.get(`${what} ${media}`) ?? Compile(schema);
    this.#checks.set(`${what} ${media}`, check);
    if (!check.Check(body)) throw new Error(`${what}: ${JSON.stringify(body)} is not as documented: ${JSON.stringify(check.Errors(body))}`);
    const code = codeOf(body);
    this.seen.add(code === undefined ? what : `${what} ${code}`);
  }
}

function codeOf(body: unknown): string | undefined {
  if (typeof body !== "object" || body === null || !("error" in body)) return undefined;
  return (body.error as { readonly code?: string }).code;
}
