/**
 * Secrets that must be known again, because a protocol signs with them: sealed with AES-256-GCM under the master key,
 * which is not in the log. The user's name is part of what is sealed, so that no secret can be moved to another user.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { CredentialRow } from './events.ts';

export const SEALED_KIND = 'sealed-secret';
export const SEALING_KEY_BYTES = 32;
export const NONCE_BYTES = 12;
const CIPHER = 'aes-256-gcm';

export function seal(key: Buffer, user: string, secret: string, nonce: Buffer): CredentialRow {
  const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(user));
  const text = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
  const value = {
    nonce: nonce.toString('base64'),
    tag: cipher.getAuthTag().toString('base64'),
    text: text.toString('base64'),
  };
  return { user, kind: SEALED_KIND, value };
}

/** Null when it was sealed under another key, or is damaged. */
export function unseal(key: Buffer, row: CredentialRow): string | null {
  const part = (name: string): Buffer => Buffer.from(String(row.value[name] ?? ''), 'base64');
  try {
    const decipher = createDecipheriv(CIPHER, key, part('nonce')).setAAD(Buffer.from(row.user));
    decipher.setAuthTag(part('tag'));
    return Buffer.concat([decipher.update(part('text')), decipher.final()]).toString();
  } catch {
    return null;
  }
}
