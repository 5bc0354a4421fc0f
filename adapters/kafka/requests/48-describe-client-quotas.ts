// DescribeClientQuotas (48): the quotas whose entities match every component of the filter (KIP-546); a strict filter
// leaves out entities that have other parts as well.
import { describeClientQuotas } from '../../../specs/kafka/clients.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Values } from '../../../specs/kafka/row.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';
import type { Entity } from '../quotas.ts';

type Component = Values<(typeof describeClientQuotas.request)[0]['fields']>;

const MATCH = { exact: 0, default: 1, any: 2 } as const;
const TYPES: readonly string[] = ['user', 'client-id', 'ip'];

export const describeClientQuotasRoute: Route = { api: describeClientQuotas, handle: describe };

function describe(call: Call): void {
  const { components, strict } = call.request(describeClientQuotas);
  const { broker, settings, quotas } = call.node;
  const refuse = (code: number, errorMessage: string): void => {
    call.node.counts.errors++;
    call.reply(describeClientQuotas, { errorCode: code, errorMessage, entries: null });
  };
  try {
    broker.authorise(call.principal, 'describe', 'cluster', settings.namespace, '');
  } catch (error) {
    return refuse(errorCode(error, 'cluster'), (error as Error).message);
  }
  const types = new Set(components.map(({ entityType }) => entityType));
  if (types.size !== components.length) return refuse(ERROR.INVALID_REQUEST, 'a part is named twice');
  const unknown = [...types].find((type) => !TYPES.includes(type));
  if (unknown !== undefined) return refuse(ERROR.UNSUPPORTED_VERSION, `no quotas for ${unknown}`);
  const entries = [];
  for (const { entity, values } of quotas.all()) {
    if (strict && entity.size !== components.length) continue;
    if (!components.every((component) => matches(entity, component))) continue;
    entries.push({
      entity: [...entity].map(([entityType, entityName]) => ({ entityType, entityName })),
      values: [...values].map(([key, value]) => ({ key, value })),
    });
  }
  call.reply(describeClientQuotas, { errorCode: ERROR.NONE, entries });
}

function matches(entity: Entity, { entityType, matchType, match }: Component): boolean {
  const name = entity.get(entityType);
  if (name === undefined) return false;
  if (matchType === MATCH.exact) return name !== null && name === match;
  if (matchType === MATCH.default) return name === null;
  return matchType === MATCH.any;
}
