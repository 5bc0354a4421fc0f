/**
 * What a broker keeps to check a password without keeping it: the pair of keys of RFC 5802 section 3, with SHA-256
 * (RFC 7677) or SHA-512. It serves both the exchange of those mechanisms and a password sent as it is.
 *
 * Invariant: from StoredKey and ServerKey the password cannot be told but by trying, one PBKDF2 per try. Passwords are
 * hashed as their UTF-8 bytes; SASLprep is left out, as the clients that matter leave it out.
 */
import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto';
import type { ScramKeys, ScramMechanism } from '../verbs.ts';

const HASHES = {
  'scram-sha-256': { name: 'sha256', keyBytes: 32 },
  'scram-sha-512': { name: 'sha512', keyBytes: 64 },
} as const satisfies Record<ScramMechanism, { name: string; keyBytes: number }>;

/** The kinds of credentials that a password gives, the one that is checked first in front. */
export const SCRAM_KINDS = Object.keys(HASHES) as ScramMechanism[];
export const SCRAM_ITERATIONS = 15_000;
/** RFC 7677 section 4 asks for at least 4096; the upper bound keeps one check below a few seconds. */
const SCRAM_ITERATIONS_MIN = 4_096;
const SCRAM_ITERATIONS_MAX = 1_000_000;

/** Hashes in the thread pool: some milliseconds of one core. */
export function scramKeys(
  mechanism: ScramMechanism,
  password: string,
  salt: Buffer,
  iterations: number,
): Promise<ScramKeys> {
  const { name, keyBytes } = HASHES[mechanism];
  return new Promise((resolve, reject) => {
    pbkdf2(password, salt, iterations, keyBytes, name, (error, salted) => {
      if (error !== null) reject(error);
      else resolve(scramKeysOfSalted(mechanism, salted, salt, iterations));
    });
  });
}

/** The same from the salted password, which is what a client sends that hashes for itself. */
export function scramKeysOfSalted(
  mechanism: ScramMechanism,
  salted: Buffer,
  salt: Buffer,
  iterations: number,
): ScramKeys {
  const { name } = HASHES[mechanism];
  const clientKey = createHmac(name, salted).update('Client Key').digest();
  const storedKey = createHash(name).update(clientKey).digest();
  const serverKey = createHmac(name, salted).update('Server Key').digest();
  return { mechanism, salt, iterations, storedKey, serverKey };
}

export function scramToValue(keys: ScramKeys): Record<string, string | number> {
  return {
    salt: keys.salt.toString('base64'),
    iterations: keys.iterations,
    storedKey: keys.storedKey.toString('base64'),
    serverKey: keys.serverKey.toString('base64'),
  };
}

/** Null when a field is missing or out of bounds. */
export function scramFromValue(mechanism: ScramMechanism, value: Readonly<Record<string, unknown>>): ScramKeys | null {
  const { salt, iterations, storedKey, serverKey } = value;
  if (typeof salt !== 'string' || typeof storedKey !== 'string' || typeof serverKey !== 'string') return null;
  if (typeof iterations !== 'number' || !Number.isInteger(iterations)) return null;
  if (iterations < SCRAM_ITERATIONS_MIN || iterations > SCRAM_ITERATIONS_MAX) return null;
  const keys = {
    mechanism,
    salt: Buffer.from(salt, 'base64'),
    iterations,
    storedKey: Buffer.from(storedKey, 'base64'),
    serverKey: Buffer.from(serverKey, 'base64'),
  };
  const { keyBytes } = HASHES[mechanism];
  return keys.storedKey.length === keyBytes && keys.serverKey.length === keyBytes ? keys : null;
}

/** True when the password is the one the keys were made from. */
export async function scramVerify(keys: ScramKeys, password: string): Promise<boolean> {
  const { storedKey } = await scramKeys(keys.mechanism, password, keys.salt, keys.iterations);
  return timingSafeEqual(storedKey, keys.storedKey);
}
