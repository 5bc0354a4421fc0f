// IncrementalAlterConfigs (44): sets and deletes single entries of a topic's configuration, and adds to or takes from
// those that are lists (KIP-339). A resource, and an entry of it, may be named once in
// a request.
import type { Values } from '../../../specs/kafka/row.ts';
import { incrementalAlterConfigs } from '../../../specs/kafka/topics.ts';
import type { Call } from '../call.ts';
import { alterResources } from '../config/alter.ts';
import { listOf, TYPE } from '../config/entry.ts';
import { entryOf } from '../config/topic-config.ts';
import type { Route } from '../dispatch.ts';

type Operation = Values<(typeof incrementalAlterConfigs.request)[0]['fields']>['configs'][number];

const OPERATION = { set: 0, delete: 1, append: 2, subtract: 3 } as const;

export const incrementalAlterConfigsRoute: Route = { api: incrementalAlterConfigs, handle: alter };

async function alter(call: Call): Promise<void> {
  const { resources, validateOnly } = call.request(incrementalAlterConfigs);
  const responses = await alterResources(call, resources, applyAll, validateOnly);
  call.reply(incrementalAlterConfigs, { responses });
}

function applyAll(entries: Map<string, string>, operations: readonly Operation[]): string | null {
  for (const operation of operations) {
    const problem = applyOne(entries, operation);
    if (problem !== null) return problem;
  }
  return null;
}

function applyOne(entries: Map<string, string>, { name, configOperation, value }: Operation): string | null {
  const entry = entryOf(name);
  if (entry === undefined) return `unknown topic config ${name}`;
  if (configOperation === OPERATION.delete) {
    entries.delete(name);
    return null;
  }
  if (value === null) return `${name} needs a value`;
  switch (configOperation) {
    case OPERATION.set:
      entries.set(name, value);
      return null;
    case OPERATION.append:
    case OPERATION.subtract: {
      if (entry.type !== TYPE.list) return `${name} is no list: nothing can be added to or taken from it`;
      const before = listOf(entries.get(name) ?? entry.value);
      const given = listOf(value);
      const after =
        configOperation === OPERATION.append
          ? [...before, ...given.filter((element) => !before.includes(element))]
          : before.filter((element) => !given.includes(element));
      entries.set(name, after.join(','));
      return null;
    }
    default:
      return `${name}: there is no operation ${configOperation}`;
  }
}
