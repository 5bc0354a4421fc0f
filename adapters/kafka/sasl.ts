// Where a connection stands with its login (KIP-43, KIP-152, KIP-368), and the mechanisms: PLAIN takes one token, SCRAM two.
//
// Invariants:
// - `mayUse` is false until the client is who it says, unless no user exists and everybody may;
// - a connection stays with the name that it first logged in with;
// - of one connection one token at a time is looked at: hashing a password is work that anybody can ask for.

import type { Principal, TimeMs } from '../../core/types.ts';
import type { ScramMechanism } from '../../core/verbs.ts';
import type { Connection } from './connection.ts';
import { ScramExchange } from './scram.ts';

const SCRAM: Readonly<Record<string, ScramMechanism>> = {
  'SCRAM-SHA-256': 'scram-sha-256',
  'SCRAM-SHA-512': 'scram-sha-512',
};
export const MECHANISMS: readonly string[] = ['PLAIN', ...Object.keys(SCRAM)];

const NO_BYTES = Buffer.alloc(0);

export class SaslState {
  /** Whether APIs other than those of the login are served. */
  mayUse: boolean;
  /** The mechanism that the client has chosen and not yet finished, null when none. */
  mechanism: string | null = null;
  /** After SaslHandshake version 0 the tokens come bare, without Kafka's header. */
  rawTokens = false;
  /** When the login has to be repeated, 0 never. */
  endsAtMs: TimeMs = 0;
  /** The name that has logged in. */
  user: string | null = null;
  exchange: ScramExchange | null = null;
  /** A token is being looked at: whatever comes of a login meanwhile is refused. */
  busy = false;

  constructor(mayUse: boolean) {
    this.mayUse = mayUse;
  }

  /** The client begins with a mechanism of MECHANISMS. */
  choose(mechanism: string): void {
    this.mechanism = mechanism;
    this.exchange = null;
  }
}

/** What became of a token. `go on`: another one follows; `done`: the client may do what its name may; both may carry bytes. */
export type SaslStep =
  | { readonly is: 'go on'; readonly bytes: Buffer }
  | { readonly is: 'done'; readonly bytes: Buffer }
  | { readonly is: 'refused' };

const REFUSED: SaslStep = { is: 'refused' };

/** Takes one token of the mechanism that was chosen. The token's bytes must be the caller's to keep. */
export async function takeToken(connection: Connection, token: Buffer): Promise<SaslStep> {
  const { sasl } = connection;
  sasl.busy = true;
  try {
    return await step(connection, token);
  } finally {
    sasl.busy = false;
  }
}

async function step(connection: Connection, token: Buffer): Promise<SaslStep> {
  const { sasl, node, info } = connection;
  const mechanism = sasl.mechanism;
  const scram = mechanism === null ? undefined : SCRAM[mechanism];
  if (scram !== undefined && (sasl.exchange === null || sasl.exchange.isFirst)) {
    sasl.exchange = new ScramExchange(node.broker.scram, node.random, scram);
    const answer = sasl.exchange.first(token);
    if (answer !== null) return { is: 'go on', bytes: Buffer.from(answer) };
    sasl.mechanism = null;
    return REFUSED;
  }
  const { exchange } = sasl;
  sasl.mechanism = null;
  sasl.exchange = null;
  const { host } = info.remote;
  if (scram === undefined) {
    const pair = mechanism === 'PLAIN' ? plainToken(token) : null;
    const principal = pair === null ? null : await node.context.authenticate(pair.user, pair.password, host);
    return loggedIn(connection, principal, NO_BYTES);
  }
  let answer: string | null = null;
  const check = async (): Promise<Principal | null> => {
    answer = exchange!.final(token);
    return answer === null ? null : { name: exchange!.user, host };
  };
  const principal = await (node.context.attempt?.(host, exchange!.user, check) ?? check());
  return loggedIn(connection, principal, Buffer.from(answer ?? ''));
}

function loggedIn(connection: Connection, principal: Principal | null, bytes: Buffer): SaslStep {
  const { sasl, node } = connection;
  if (principal === null || (sasl.user !== null && sasl.user !== principal.name)) return REFUSED;
  const { reauthenticationMs } = node.settings;
  sasl.mayUse = true;
  sasl.user = principal.name;
  sasl.endsAtMs = reauthenticationMs > 0 ? node.clock.nowMs() + reauthenticationMs : 0;
  connection.loggedIn(principal);
  return { is: 'done', bytes };
}

/** Splits a PLAIN token (RFC 4616: authzid NUL authcid NUL passwd); null when it is none. */
function plainToken(token: Buffer): { user: string; password: string } | null {
  const first = token.indexOf(0);
  const second = first < 0 ? -1 : token.indexOf(0, first + 1);
  if (second < 0 || token.indexOf(0, second + 1) >= 0) return null;
  const authorise = token.toString('utf8', 0, first);
  const user = token.toString('utf8', first + 1, second);
  const password = token.toString('utf8', second + 1);
  if (user === '' || password === '' || (authorise !== '' && authorise !== user)) return null;
  return { user, password };
}
