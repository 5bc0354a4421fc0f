// Where a connection stands with its login (KIP-43, KIP-152).
//
// Invariant: `mayUse` is false until the client is who it says, unless no user exists and everybody may.

export const MECHANISMS: readonly string[] = ['PLAIN'];

export class SaslState {
  /** Whether APIs other than those of the login are served. */
  mayUse: boolean;
  /** The mechanism that the client has chosen and not yet finished, null when none. */
  mechanism: string | null = null;
  /** After SaslHandshake version 0 the tokens come bare, without Kafka's header. */
  rawTokens = false;

  constructor(mayUse: boolean) {
    this.mayUse = mayUse;
  }
}

/** Splits a PLAIN token (RFC 4616: authzid NUL authcid NUL passwd); null when it is none. */
export function plainToken(token: Buffer): { user: string; password: string } | null {
  const first = token.indexOf(0);
  const second = first < 0 ? -1 : token.indexOf(0, first + 1);
  if (second < 0 || token.indexOf(0, second + 1) >= 0) return null;
  const authorise = token.toString('utf8', 0, first);
  const user = token.toString('utf8', first + 1, second);
  const password = token.toString('utf8', second + 1);
  if (user === '' || password === '' || (authorise !== '' && authorise !== user)) return null;
  return { user, password };
}
