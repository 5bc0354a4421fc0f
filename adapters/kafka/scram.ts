// The server's side of SCRAM (RFC 5802, without channel binding): two messages of the client, two of ours.
//
//   n,,n=user,r=nonce                  →   r=nonce+ours,s=salt,i=iterations
//   c=biws,r=nonce+ours,p=proof        →   v=signature of ours
//
// Invariants:
// - a name that does not exist gets a salt as well, always the same one, and fails at the proof: names cannot be probed;
// - an exchange is good for one proof; what is kept meanwhile is bounded by the size of a login's frame.

import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Random } from '../../core/types.ts';
import type { ScramKeys, ScramMechanism, ScramVerbs } from '../../core/verbs.ts';

const HASHES = { 'scram-sha-256': 'sha256', 'scram-sha-512': 'sha512' } as const satisfies Record<
  ScramMechanism,
  string
>;
export const HASH_BYTES = { 'scram-sha-256': 32, 'scram-sha-512': 64 } as const satisfies Record<
  ScramMechanism,
  number
>;
/** ScramMechanism of the admin protocol. */
const CODES = { 'scram-sha-256': 1, 'scram-sha-512': 2 } as const satisfies Record<ScramMechanism, number>;

const NONCE_BYTES = 18;
const SALT_BYTES = 16;
/** Iterations told to those who do not exist: what users of this broker have. */
const ITERATIONS = 15_000;
const CLIENT_FIRST = /^(n|y|p=[^,]*),(a=[^,]*)?,(?:m=[^,]*,)?n=([^,]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,(.*))?$/s;
const CLIENT_FINAL = /^(c=([^,]*),r=([\x21-\x2b\x2d-\x7e]+)(?:,[a-zA-Z]=[^,]*)*),p=([A-Za-z0-9+/=]+)$/s;
/** Makes the salts of names that do not exist; a new one with each start is as good as any. */
const decoySecret = randomBytes(32);

export function mechanismCode(mechanism: ScramMechanism): number {
  return CODES[mechanism];
}

export function mechanismOf(code: number): ScramMechanism | null {
  for (const [mechanism, known] of Object.entries(CODES)) if (known === code) return mechanism as ScramMechanism;
  return null;
}

/** One login. `first` and then `final` take the client's messages; null from either ends it: it failed. */
export class ScramExchange {
  readonly #scram: Pick<ScramVerbs, 'keys'>;
  readonly #random: Random;
  readonly #mechanism: ScramMechanism;
  #gs2 = '';
  #nonce = '';
  /** The two messages that the proof signs, without the last one. */
  #signed = '';
  #keys: ScramKeys | null = null;
  #isKnown = false;
  user = '';
  #step: 'first' | 'final' | 'done' = 'first';

  constructor(scram: Pick<ScramVerbs, 'keys'>, random: Random, mechanism: ScramMechanism) {
    this.#scram = scram;
    this.#random = random;
    this.#mechanism = mechanism;
  }

  get isFirst(): boolean {
    return this.#step === 'first';
  }

  /** Our answer to the client's first message. */
  first(token: Buffer): string | null {
    this.#step = 'done';
    const text = token.toString('utf8');
    const [, binding, authorise, escaped, clientNonce] = CLIENT_FIRST.exec(text) ?? [];
    // "p=" asks for channel binding, which is not offered.
    if (binding === undefined || binding.startsWith('p') || escaped === undefined) return null;
    const user = unescaped(escaped);
    if (user === null || (authorise !== undefined && unescaped(authorise.slice(2)) !== user)) return null;
    this.user = user;
    const found = this.#scram.keys(user, this.#mechanism);
    this.#isKnown = found !== null;
    this.#keys = found ?? this.#decoy(user);
    this.#gs2 = `${binding},${authorise ?? ''},`;
    this.#nonce = clientNonce! + this.#random.bytes(Buffer.alloc(NONCE_BYTES)).toString('base64');
    const answer = `r=${this.#nonce},s=${this.#keys.salt.toString('base64')},i=${this.#keys.iterations}`;
    this.#signed = `${text.slice(this.#gs2.length)},${answer}`;
    this.#step = 'final';
    return answer;
  }

  /** Our proof that we know the client's key too, when the client's proof is right. */
  final(token: Buffer): string | null {
    if (this.#step !== 'final' || this.#keys === null) return null;
    this.#step = 'done';
    const [, withoutProof, binding, nonce, proofText] = CLIENT_FINAL.exec(token.toString('utf8')) ?? [];
    if (withoutProof === undefined || nonce !== this.#nonce) return null;
    if (Buffer.from(binding!, 'base64').toString('utf8') !== this.#gs2) return null;
    const { storedKey, serverKey } = this.#keys;
    const hash = HASHES[this.#mechanism];
    const message = `${this.#signed},${withoutProof}`;
    const signature = createHmac(hash, storedKey).update(message).digest();
    const proof = Buffer.from(proofText!, 'base64');
    if (proof.length !== signature.length) return null;
    const clientKey = Buffer.from(proof.map((byte, i) => byte ^ signature[i]!));
    const isRight = timingSafeEqual(createHash(hash).update(clientKey).digest(), storedKey);
    if (!isRight || !this.#isKnown) return null;
    return `v=${createHmac(hash, serverKey).update(message).digest('base64')}`;
  }

  #decoy(user: string): ScramKeys {
    const bytes = HASH_BYTES[this.#mechanism];
    const salt = createHmac('sha256', decoySecret).update(user).digest().subarray(0, SALT_BYTES);
    const key = Buffer.alloc(bytes);
    return { mechanism: this.#mechanism, salt, iterations: ITERATIONS, storedKey: key, serverKey: key };
  }
}

/** A name with its commas and equals signs back (RFC 5802 section 5.1), null when it is none. */
function unescaped(name: string): string | null {
  if (/=(?!2C|3D)/.test(name)) return null;
  return name.replaceAll('=2C', ',').replaceAll('=3D', '=');
}
