/** What is kept of a user's password: a verifier for each mechanism, and itself, sealed, where there is a master key. */
import type { Random } from '../types.ts';
import { Access } from './access.ts';
import type { CredentialRow } from './events.ts';
import { SCRAM_KINDS } from './scram.ts';
import { NONCE_BYTES, seal } from './sealed.ts';

const SALT_BYTES = 16;

export class Passwords {
  private readonly random: Random;
  private readonly sealingKey: Buffer | null;

  constructor(random: Random, sealingKey: Buffer | null) {
    this.random = random;
    this.sealingKey = sealingKey;
  }

  async rows(name: string, password: string): Promise<CredentialRow[]> {
    const make = (kind: (typeof SCRAM_KINDS)[number]): Promise<CredentialRow> =>
      Access.makeCredential(name, password, this.random.bytes(Buffer.alloc(SALT_BYTES)), kind);
    const rows = await Promise.all(SCRAM_KINDS.map(make));
    // Behind the verifiers, whose change takes an earlier one away.
    if (this.sealingKey !== null)
      rows.push(seal(this.sealingKey, name, password, this.random.bytes(Buffer.alloc(NONCE_BYTES))));
    return rows;
  }

  isSignedBy(access: Access, name: string, parts: readonly Buffer[], signature: Buffer): boolean {
    return this.sealingKey !== null && access.verifySignature(this.sealingKey, name, parts, signature);
  }
}
