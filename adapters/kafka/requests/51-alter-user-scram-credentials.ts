// AlterUserScramCredentials (51): makes, changes and removes credentials (KIP-554). The client sends the salted password,
// not the password, so what is kept cannot be used for PLAIN of another system. A user all of whose changes are valid is
// changed; the others are told why not.
import { alterUserScramCredentials } from '../../../specs/kafka/clients.ts';
import { ERROR, type ErrorCode } from '../../../specs/kafka/error-codes.ts';
import type { Input, Values } from '../../../specs/kafka/row.ts';
import type { Call } from '../call.ts';
import type { Route } from '../dispatch.ts';
import { errorCode } from '../errors.ts';
import { HASH_BYTES, mechanismOf } from '../scram.ts';

type Request = Values<(typeof alterUserScramCredentials)['request']>;
type Outcome = Input<(typeof alterUserScramCredentials.response)[1]['fields']>;

/** Bounds of Kafka's brokers. */
const ITERATIONS_MIN = 4_096;
const ITERATIONS_MAX = 16_384;
const NAME_BYTES_MAX = 255;
const SALT_BYTES_MAX = 1_024;

export const alterUserScramCredentialsRoute: Route = { api: alterUserScramCredentials, handle: alter };

interface Refusal {
  readonly code: ErrorCode;
  readonly text: string;
}

async function alter(call: Call): Promise<void> {
  const request = copied(call.request(alterUserScramCredentials));
  const names = new Set([...request.deletions, ...request.upsertions].map(({ name }) => name));
  const results: Outcome[] = [];
  try {
    // Before anything is said: which users there are is not everybody's business.
    call.node.broker.authorise(call.principal, 'update', 'cluster', call.node.settings.namespace, '');
    for (const name of names) results.push(await alterUser(call, request, name));
  } catch (error) {
    const code = errorCode(error, 'cluster');
    call.node.counts.errors++;
    for (const user of names) results.push({ user, errorCode: code, errorMessage: (error as Error).message });
  }
  call.reply(alterUserScramCredentials, { results });
}

/** The frame's bytes are gone at the first await. */
function copied(request: Request): Request {
  const upsertions = request.upsertions.map((one) => ({
    ...one,
    salt: Buffer.from(one.salt),
    saltedPassword: Buffer.from(one.saltedPassword),
  }));
  return { ...request, upsertions };
}

async function alterUser(call: Call, request: Request, user: string): Promise<Outcome> {
  const { broker } = call.node;
  const refused = (code: number, errorMessage: string): Outcome => {
    call.node.counts.errors++;
    return { user, errorCode: code, errorMessage };
  };
  const deletions = request.deletions.filter(({ name }) => name === user);
  const upsertions = request.upsertions.filter(({ name }) => name === user);
  const problem = problemOf(call, user, deletions, upsertions);
  if (problem !== null) return refused(problem.code, problem.text);
  try {
    const removals = deletions.map(({ mechanism }) => mechanismOf(mechanism)!);
    const passwords = upsertions.map(({ mechanism, salt, iterations, saltedPassword: salted }) => ({
      mechanism: mechanismOf(mechanism)!,
      salted,
      salt,
      iterations,
    }));
    await broker.scram.alter(call.principal, user, removals, passwords);
    return { user, errorCode: ERROR.NONE };
  } catch (error) {
    return refused(errorCode(error, 'cluster'), (error as Error).message);
  }
}

function problemOf(
  call: Call,
  user: string,
  deletions: Request['deletions'],
  upsertions: Request['upsertions'],
): Refusal | null {
  const bytes = Buffer.byteLength(user);
  if (bytes === 0 || bytes > NAME_BYTES_MAX) {
    return { code: ERROR.UNACCEPTABLE_CREDENTIAL, text: `a user's name has 1 to ${NAME_BYTES_MAX} bytes` };
  }
  const codes = [...deletions, ...upsertions].map(({ mechanism }) => mechanism);
  if (new Set(codes).size !== codes.length) {
    return { code: ERROR.DUPLICATE_RESOURCE, text: 'a mechanism is named twice for one user' };
  }
  if (codes.some((code) => mechanismOf(code) === null)) {
    return { code: ERROR.UNSUPPORTED_SASL_MECHANISM, text: 'SCRAM-SHA-256 (1) and SCRAM-SHA-512 (2) are served' };
  }
  for (const { mechanism } of deletions) {
    if (call.node.broker.scram.keys(user, mechanismOf(mechanism)!) === null) {
      return { code: ERROR.RESOURCE_NOT_FOUND, text: `${user} has no such credential` };
    }
  }
  for (const { mechanism, iterations, salt, saltedPassword } of upsertions) {
    if (iterations < ITERATIONS_MIN || iterations > ITERATIONS_MAX) {
      return { code: ERROR.UNACCEPTABLE_CREDENTIAL, text: `iterations are ${ITERATIONS_MIN} to ${ITERATIONS_MAX}` };
    }
    if (
      salt.length === 0 ||
      salt.length > SALT_BYTES_MAX ||
      saltedPassword.length !== HASH_BYTES[mechanismOf(mechanism)!]
    ) {
      return {
        code: ERROR.UNACCEPTABLE_CREDENTIAL,
        text: 'the salt or the salted password has not the size it must have',
      };
    }
  }
  return null;
}
