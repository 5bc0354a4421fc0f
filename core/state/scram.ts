/**
 * What a broker keeps to check a password without keeping it: the pair of keys of RFC 5802 section 3, with SHA-256
 * (RFC 7677). It serves both the exchange of that mechanism and a password sent as it is.
 *
 * Invariant: from StoredKey and ServerKey the password cannot be told but by trying, one PBKDF2 per try. Passwords are
 * hashed as their UTF-8 bytes; SASLprep is left out, as the clients that matter leave it out.
 */
import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto';

export const SCRAM_KIND = 'scram-sha-256';
export const SCRAM_ITERATIONS = 15_000;
/** RFC 7677 section 4 asks for at least 4096; the upper bound keeps one check below a few seconds. */
const SCRAM_ITERATIONS_MIN = 4_096;
const SCRAM_ITERATIONS_MAX = 1_000_000;
const KEY_BYTES = 32;

export interface ScramKeys {
  readonly salt: Buffer;
  readonly iterations: number;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** Hashes in the thread pool: some milliseconds of one core. */
export function scramKeys(password: string, salt: Buffer, iterations: number): Promise<ScramKeys> {
  return new Promise((resolve, reject) => {
    pbkdf2(password, salt, iterations, KEY_BYTES, 'sha256', (error, salted) => {
      if (error !== null) return reject(error);
      const clientKey = createHmac('sha256', salted).update('Client Key').digest();
      const storedKey = createHash('sha256').update(clientKey).digest();
      const serverKey = createHmac('sha256', salted).update('Server Key').digest();
      resolve({ salt, iterations, storedKey, serverKey });
    });
  });
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
export function scramFromValue(value: Readonly<Record<string, unknown>>): ScramKeys | null {
  const { salt, iterations, storedKey, serverKey } = value;
  if (typeof salt !== 'string' || typeof storedKey !== 'string' || typeof serverKey !== 'string') return null;
  if (typeof iterations !== 'number' || !Number.isInteger(iterations)) return null;
  if (iterations < SCRAM_ITERATIONS_MIN || iterations > SCRAM_ITERATIONS_MAX) return null;
  const keys = {
    salt: Buffer.from(salt, 'base64'),
    iterations,
    storedKey: Buffer.from(storedKey, 'base64'),
    serverKey: Buffer.from(serverKey, 'base64'),
  };
  return keys.storedKey.length === KEY_BYTES && keys.serverKey.length === KEY_BYTES ? keys : null;
}

/** True when the password is the one the keys were made from. */
export async function scramVerify(keys: ScramKeys, password: string): Promise<boolean> {
  const { storedKey } = await scramKeys(password, keys.salt, keys.iterations);
  return timingSafeEqual(storedKey, keys.storedKey);
}
