// The operations of specs/admin/openapi.json as rows: the document is the only place where paths, parameters, bodies
// and limits are written down; the server makes its routes and its validation from it.

import type { Principal } from '../../core/types.ts';
import openapi from '../../specs/admin/openapi.json' with { type: 'json' };

/** A request whose parameters and body have passed validation against the document. */
export interface Call {
  readonly principal: Principal;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body: unknown;
}

/** What is answered: undefined is no content. An Answer says more than the body. */
export type Handler = (call: Call) => unknown;

export class Answer {
  readonly status: number;
  readonly type: string;
  readonly body: unknown;
  constructor(status: number, type: string, body: unknown) {
    this.status = status;
    this.type = type;
    this.body = body;
  }
}

export interface Operation {
  readonly id: string;
  readonly method: string;
  /** Path in the router's spelling, `:name` for a parameter. */
  readonly url: string;
  readonly isOpen: boolean;
  readonly successStatus: number;
  readonly schema: { params?: object; querystring?: object; body?: object };
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema: object;
}

interface OperationObject {
  readonly operationId: string;
  readonly security?: readonly object[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: object } } };
  readonly responses: Readonly<Record<string, unknown>>;
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

export const document: object = openapi;
/** Id under which the document's schemas are known to the validator. */
const DOCUMENT_ID = 'openapi';
const SCHEMAS = '#/components/schemas/';
/** The document's schemas as one schema, in the place where JSON Schema keeps such. */
export const sharedSchema: object = { $id: DOCUMENT_ID, definitions: rebased(openapi.components.schemas) };

export const operations: readonly Operation[] = Object.entries(openapi.paths).flatMap(([path, item]) =>
  METHODS.filter((method) => method in item).map((method) => {
    const shared = (item as { parameters?: readonly Parameter[] }).parameters ?? [];
    const operation = (item as unknown as Record<string, OperationObject>)[method]!;
    return operationOf(path, method, [...shared, ...(operation.parameters ?? [])], operation);
  }),
);

function operationOf(path: string, method: string, parameters: readonly Parameter[], from: OperationObject): Operation {
  const params = parameters.filter((parameter) => parameter.in === 'path');
  const query = parameters.filter((parameter) => parameter.in === 'query');
  const body = from.requestBody?.content['application/json'].schema;
  return {
    id: from.operationId,
    method: method.toUpperCase(),
    url: path.replaceAll(/\{(\w+)\}/g, ':$1'),
    isOpen: from.security?.length === 0,
    successStatus: Number(Object.keys(from.responses).find((status) => status.startsWith('2')) ?? 200),
    schema: {
      ...(params.length > 0 && { params: objectSchema(params) }),
      // An unknown query parameter is refused: it is more often misspelt than meant for nobody.
      ...(method === 'get' || query.length > 0 ? { querystring: objectSchema(query) } : {}),
      ...(body !== undefined && { body: rebased(body) as object }),
    },
  };
}

function objectSchema(parameters: readonly Parameter[]): object {
  return {
    type: 'object',
    additionalProperties: false,
    required: parameters.filter((parameter) => parameter.required).map((parameter) => parameter.name),
    properties: Object.fromEntries(parameters.map((parameter) => [parameter.name, rebased(parameter.schema)])),
  };
}

/** References within the document, made to work from outside of it. */
function rebased(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(rebased);
  if (typeof node !== 'object' || node === null) return node;
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) =>
      key === '$ref' && typeof value === 'string' && value.startsWith(SCHEMAS)
        ? [key, `${DOCUMENT_ID}#/definitions/${value.slice(SCHEMAS.length)}`]
        : [key, rebased(value)],
    ),
  );
}
