// AlterClientQuotas (49): sets and removes quotas of entities (KIP-546). Each entry succeeds or fails by itself.
import { alterClientQuotas } from '../../../specs/kafka/clients.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Input, Values } from '../../../specs/kafka/row.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';
import { Quotas } from '../quotas.ts';

type Entry = Values<(typeof alterClientQuotas.request)[0]['fields']>;
type Outcome = Input<(typeof alterClientQuotas.response)[1]['fields']>;

export const alterClientQuotasRoute: Route = { api: alterClientQuotas, handle: alter };

async function alter(call: Call): Promise<void> {
  const { entries, validateOnly } = call.request(alterClientQuotas);
  const outcomes: Outcome[] = [];
  // One after the other: the same entity may be named twice.
  for (const entry of entries) outcomes.push(await alterOne(call, entry, validateOnly));
  call.reply(alterClientQuotas, { entries: outcomes });
}

async function alterOne(call: Call, { entity: parts, ops }: Entry, validateOnly: boolean): Promise<Outcome> {
  const { broker, settings, quotas } = call.node;
  const outcome = (code: number, errorMessage: string | null): Outcome => {
    if (code !== ERROR.NONE) call.node.counts.errors++;
    return { errorCode: code, errorMessage, entity: parts };
  };
  const entity = new Map(parts.map(({ entityType, entityName }) => [entityType, entityName]));
  const changes = new Map(ops.map(({ key, value, remove }) => [key, remove ? null : value]));
  if (entity.size !== parts.length || changes.size !== ops.length) {
    return outcome(ERROR.INVALID_REQUEST, 'a part or a quota is named twice');
  }
  const problem = Quotas.problemOf(entity, changes.keys());
  if (problem !== null) return outcome(ERROR.INVALID_REQUEST, problem);
  for (const [key, value] of changes) {
    if (value !== null && !(value > 0 && Number.isFinite(value))) {
      return outcome(ERROR.INVALID_REQUEST, `${key} must be a number above 0`);
    }
  }
  try {
    broker.authorise(call.principal, 'update', 'cluster', settings.namespace, '');
    if (!validateOnly) await quotas.alter(call.principal, entity, changes);
    return outcome(ERROR.NONE, null);
  } catch (error) {
    return outcome(errorCode(error, 'cluster'), (error as Error).message);
  }
}
