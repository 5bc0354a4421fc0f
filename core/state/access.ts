/**
 * Who may do what: users by their credentials, and the rules about them. A table folded from the log; every verb asks it.
 *
 * Invariants: while no user has a credential everything is allowed; from the first one on, a thing is allowed when some
 * rule of its user allows it and none denies it. A user's rules go with the user, so that whoever is still connected
 * under that name loses every right at once, and a later user of the same name inherits none. No password is kept: of
 * one that was right, a keyed digest, for as long as the credential stands; and sealed, where there is a master key. A
 * sealed secret goes with the password that it was: whatever changes one of the user's verifiers takes it away.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { BrokerError } from '../errors.ts';
import type { AccessRule, Action, Principal, ResourceKind } from '../types.ts';
import type { ScramKeys, ScramMechanism, User } from '../verbs.ts';
import type { CredentialRow, StateEvent } from './events.ts';
import { matches, Rights } from './rights.ts';
import { SCRAM_ITERATIONS, SCRAM_KINDS, scramFromValue, scramKeys, scramToValue, scramVerify } from './scram.ts';
import { SEALED_KIND, unseal } from './sealed.ts';

const PASSWORD_BYTES_MAX = 1_024;
const REMEMBERED_MAX = 4_096;
/** Passwords that are hashed at once: each takes a thread of the pool for milliseconds, and cold reads want one too. */
const HASHES_MAX = 2;
/** Passwords that are hashed or wait for it, beyond which further ones are refused: some seconds of work. */
const CHECKS_MAX = 1_024;

export class Access {
  /** User → kind → credential. */
  private readonly credentials = new Map<string, Map<string, CredentialRow>>();
  private readonly rulesById = new Map<string, AccessRule>();
  private readonly rulesByUser = new Map<string, Map<string, AccessRule>>();
  /** Compiled when first asked for after a change. */
  private readonly rights = new Map<string, Rights>();
  private readonly cacheKey = randomBytes(32);
  /** User → digest of the password that was right. Oldest first. */
  private readonly remembered = new Map<string, Buffer>();
  /** User → unsealed secret, of those that have signed something. */
  private readonly secrets = new Map<string, string>();
  /** Checks under way, by digest: a storm of the same pair is one check. */
  private readonly checks = new Map<string, Promise<boolean>>();
  private hashing = 0;
  /** Checks that wait for a thread, in the order they came. */
  private readonly line: (() => void)[] = [];
  /** An unknown name is checked against this one, so that it takes as long. */
  private readonly nobody: ScramKeys = {
    mechanism: 'scram-sha-256',
    salt: randomBytes(16),
    iterations: SCRAM_ITERATIONS,
    storedKey: randomBytes(32),
    serverKey: randomBytes(32),
  };

  // ---------------------------------------------------------------- the table

  get secured(): boolean {
    return this.credentials.size > 0;
  }

  /** Replaces the user's credential of the same kind. */
  putCredential(row: CredentialRow): void {
    let kinds = this.credentials.get(row.user);
    if (kinds === undefined) this.credentials.set(row.user, (kinds = new Map()));
    if (row.kind !== SEALED_KIND) kinds.delete(SEALED_KIND);
    kinds.set(row.kind, row);
    this.forget(row.user);
  }

  /** With the last credential the user goes, and its rules. */
  deleteCredential(name: string, kind: string): void {
    const kinds = this.credentials.get(name);
    if (kinds === undefined) return;
    kinds.delete(kind);
    kinds.delete(SEALED_KIND);
    this.forget(name);
    if (kinds.size === 0) this.deleteUser(name);
  }

  /** With all credentials and rules. */
  deleteUser(name: string): void {
    this.credentials.delete(name);
    this.forget(name);
    for (const id of this.rulesByUser.get(name)?.keys() ?? []) this.rulesById.delete(id);
    this.rulesByUser.delete(name);
    this.rights.delete(name);
  }

  /** Replaces the rule of the same id. */
  putRule(rule: AccessRule): void {
    this.deleteRule(rule.id);
    this.rulesById.set(rule.id, rule);
    let rules = this.rulesByUser.get(rule.user);
    if (rules === undefined) this.rulesByUser.set(rule.user, (rules = new Map()));
    rules.set(rule.id, rule);
    this.rights.delete(rule.user);
  }

  deleteRule(id: string): void {
    const rule = this.rulesById.get(id);
    if (rule === undefined) return;
    this.rulesById.delete(id);
    const rules = this.rulesByUser.get(rule.user)!;
    rules.delete(id);
    if (rules.size === 0) this.rulesByUser.delete(rule.user);
    this.rights.delete(rule.user);
  }

  hasUser(name: string): boolean {
    return this.credentials.has(name);
  }

  /** Null when the user has none of that kind. */
  credential(user: string, kind: string): CredentialRow | null {
    return this.credentials.get(user)?.get(kind) ?? null;
  }

  /** By name. */
  users(): User[] {
    return [...this.credentials.keys()].sort().map((name) => ({ name }));
  }

  /** By id. */
  rules(): AccessRule[] {
    return [...this.rulesById.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Everything this table holds, as events that make it again. */
  *events(): Generator<StateEvent> {
    for (const kinds of this.credentials.values()) for (const row of kinds.values()) yield { k: 'credential', row };
    for (const row of this.rulesById.values()) yield { k: 'rule', row };
  }

  // ---------------------------------------------------------------- may they

  allows(principal: Principal, action: Action, resource: ResourceKind, namespace: string, name: string): boolean {
    if (!this.secured) return true;
    return this.rightsOf(principal.name).allows(action, resource, namespace, name);
  }

  /** Whether some rule allows it on anything of the kind. */
  allowsSome(principal: Principal, action: Action, resource: ResourceKind): boolean {
    return !this.secured || this.rightsOf(principal.name).allowsSome(action, resource);
  }

  /** Throws access-denied, saying what was denied and how to allow it. */
  authorise(principal: Principal, action: Action, resource: ResourceKind, namespace: string, name: string): void {
    if (!this.allows(principal, action, resource, namespace, name))
      throw this.denial(principal.name, action, resource, namespace, name);
  }

  private rightsOf(user: string): Rights {
    const known = this.rights.get(user);
    if (known !== undefined) return known;
    const rules = this.rulesByUser.get(user);
    // Nothing is kept for a name without rules: names come from outside.
    if (rules === undefined) return NO_RIGHTS;
    const rights = new Rights(rules.values());
    this.rights.set(user, rights);
    return rights;
  }

  private denial(user: string, action: Action, resource: ResourceKind, namespace: string, name: string): BrokerError {
    const where = resource === 'cluster' || namespace === '' ? '' : ` in namespace "${namespace}"`;
    const what = `User "${user}" may not ${action} ${resource} "${name}"${where}`;
    for (const rule of this.rulesByUser.get(user)?.values() ?? []) {
      if (!rule.allow && matches(rule, action, resource, namespace, name))
        return new BrokerError(
          'access-denied',
          `${what}: the rule "${rule.id}" denies it. Delete or narrow that rule.`,
        );
    }
    const rule = JSON.stringify({ user, allow: true, actions: [action], resource, namespace, pattern: name });
    return new BrokerError('access-denied', `${what}: no rule allows it. To allow it, add the rule ${rule}.`);
  }

  // ---------------------------------------------------------------- are they

  /** Throws argument-invalid for a password that is empty or longer than 1,024 bytes. */
  static async makeCredential(
    user: string,
    password: string,
    salt: Buffer,
    kind: ScramMechanism = 'scram-sha-256',
  ): Promise<CredentialRow> {
    const bytes = Buffer.byteLength(password);
    if (bytes === 0 || bytes > PASSWORD_BYTES_MAX)
      throw new BrokerError('argument-invalid', `a password has 1 to ${PASSWORD_BYTES_MAX} bytes, this one ${bytes}`);
    return Access.scramCredential(user, await scramKeys(kind, password, salt, SCRAM_ITERATIONS));
  }

  /** Throws argument-invalid for keys that could not be checked against. */
  static scramCredential(user: string, keys: ScramKeys): CredentialRow {
    const value = scramToValue(keys);
    if (scramFromValue(keys.mechanism, value) === null)
      throw new BrokerError('argument-invalid', `these are no keys of ${keys.mechanism}`);
    return { user, kind: keys.mechanism, value };
  }

  /** Null when the user has no credential of that mechanism, or one that cannot be read. */
  scram(user: string, mechanism: ScramMechanism): ScramKeys | null {
    const row = this.credential(user, mechanism);
    return row === null ? null : scramFromValue(mechanism, row.value);
  }

  /** True when the password is the user's; takes as long for a name that is unknown. Throws overloaded. */
  async verify(name: string, password: string): Promise<boolean> {
    const digest = createHmac('sha256', this.cacheKey).update(`${name.length}:${name}${password}`).digest();
    const remembered = this.remembered.get(name);
    if (remembered !== undefined && timingSafeEqual(remembered, digest)) return true;
    const key = digest.toString('base64');
    let check = this.checks.get(key);
    if (check === undefined) {
      if (this.checks.size >= CHECKS_MAX)
        throw new BrokerError('overloaded', 'too many passwords are being checked; try again in a moment');
      check = this.check(name, password, digest).finally(() => this.checks.delete(key));
      this.checks.set(key, check);
    }
    return check;
  }

  private async check(name: string, password: string, digest: Buffer): Promise<boolean> {
    for (;;) {
      const row = this.passwordRow(name);
      const keys = row === null ? null : scramFromValue(row.kind as ScramMechanism, row.value);
      const isRight = await this.hashed(keys ?? this.nobody, password);
      // A credential that changed meanwhile is another question.
      if (this.passwordRow(name) !== row) continue;
      if (keys === null || !isRight) return false;
      this.remember(name, digest);
      return true;
    }
  }

  private async hashed(keys: ScramKeys, password: string): Promise<boolean> {
    if (this.hashing < HASHES_MAX) this.hashing++;
    else await new Promise<void>((resolve) => this.line.push(resolve));
    try {
      return await scramVerify(keys, password);
    } finally {
      // Its place is the next one's.
      const next = this.line.shift();
      if (next === undefined) this.hashing--;
      else next();
    }
  }

  private passwordRow(name: string): CredentialRow | null {
    for (const kind of SCRAM_KINDS) {
      const row = this.credential(name, kind);
      if (row !== null) return row;
    }
    return null;
  }

  /**
   * True when the signature is HMAC-SHA1 of the parts under the user's secret. False also for a user whose secret is not
   * sealed here, or was under another key.
   */
  verifySignature(sealingKey: Buffer, name: string, parts: readonly Buffer[], signature: Buffer): boolean {
    let secret = this.secrets.get(name);
    if (secret === undefined) {
      const row = this.credential(name, SEALED_KIND);
      const opened = row === null ? null : unseal(sealingKey, row);
      if (opened === null) return false;
      this.secrets.set(name, (secret = opened));
    }
    const hmac = createHmac('sha1', secret);
    for (const part of parts) hmac.update(part);
    const wanted = hmac.digest();
    return wanted.length === signature.length && timingSafeEqual(wanted, signature);
  }

  private forget(name: string): void {
    this.remembered.delete(name);
    this.secrets.delete(name);
  }

  private remember(name: string, digest: Buffer): void {
    this.remembered.delete(name);
    if (this.remembered.size >= REMEMBERED_MAX) this.remembered.delete(this.remembered.keys().next().value!);
    this.remembered.set(name, digest);
  }
}

const NO_RIGHTS = new Rights([]);
