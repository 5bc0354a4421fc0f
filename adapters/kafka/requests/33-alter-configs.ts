// AlterConfigs (33): replaces a topic's whole configuration; what is not named goes back to its default. Old tools send
// it; newer ones send IncrementalAlterConfigs, because this one takes away what it does not know of (KIP-339).
import { alterConfigs } from '../../../specs/kafka/topics.ts';
import type { Call } from '../call.ts';
import { alterResources } from '../config/alter.ts';
import type { Route } from '../dispatch.ts';

export const alterConfigsRoute: Route = { api: alterConfigs, handle: replace };

async function replace(call: Call): Promise<void> {
  const { resources, validateOnly } = call.request(alterConfigs);
  const responses = await alterResources(
    call,
    resources,
    (entries, configs) => {
      entries.clear();
      for (const { name, value } of configs) if (value !== null) entries.set(name, value);
      return null;
    },
    validateOnly,
  );
  call.reply(alterConfigs, { responses });
}
