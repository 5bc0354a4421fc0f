// DescribeUserScramCredentials (50): which mechanisms users have, with how many iterations (KIP-554). Null and an empty
// list mean everybody.
import { describeUserScramCredentials } from '../../../specs/kafka/clients.ts';
import { ERROR } from '../../../specs/kafka/error-codes.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';
import { mechanismCode } from '../scram.ts';

export const describeUserScramCredentialsRoute: Route = { api: describeUserScramCredentials, handle: describe };

function describe(call: Call): void {
  const { users } = call.request(describeUserScramCredentials);
  const infos = new Map<string, { mechanism: number; iterations: number }[]>();
  try {
    for (const { name, mechanism, iterations } of call.node.broker.scram.list(call.principal)) {
      const of = infos.get(name) ?? [];
      of.push({ mechanism: mechanismCode(mechanism), iterations });
      infos.set(name, of);
    }
  } catch (error) {
    call.node.counts.errors++;
    const { message } = error as Error;
    call.reply(describeUserScramCredentials, {
      errorCode: errorCode(error, 'cluster'),
      errorMessage: message,
      results: [],
    });
    return;
  }
  const wanted = users === null || users.length === 0 ? [...infos.keys()] : users.map(({ name }) => name);
  const times = new Map<string, number>();
  for (const user of wanted) times.set(user, (times.get(user) ?? 0) + 1);
  const results = [...times].map(([user, count]) => {
    const credentialInfos = infos.get(user) ?? [];
    if (count > 1)
      return { user, errorCode: ERROR.DUPLICATE_RESOURCE, errorMessage: `${user} is named twice`, credentialInfos: [] };
    if (credentialInfos.length > 0) return { user, errorCode: ERROR.NONE, credentialInfos };
    return {
      user,
      errorCode: ERROR.RESOURCE_NOT_FOUND,
      errorMessage: `${user} has no SCRAM credentials`,
      credentialInfos,
    };
  });
  call.reply(describeUserScramCredentials, { errorCode: ERROR.NONE, results });
}
