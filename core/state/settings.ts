/**
 * Settings: short texts by scope and key that a protocol or an operator wants kept, and that the broker itself never
 * reads. They are state like any other: logged, folded, in every snapshot.
 */
import { BrokerError } from '../errors.ts';
import type { StateEvent } from './events.ts';

export const SETTINGS_MAX = 10_000;
const SETTING_NAME_BYTES_MAX = 255;
export const SETTING_VALUE_BYTES_MAX = 64 * 1024;

export class Settings {
  private readonly scopes = new Map<string, Map<string, string>>();
  private count = 0;

  get(scope: string, key: string): string | null {
    return this.scopes.get(scope)?.get(key) ?? null;
  }

  all(scope: string): ReadonlyMap<string, string> {
    return this.scopes.get(scope) ?? new Map();
  }

  /** Throws argument-invalid or limit-exceeded when it cannot be kept. */
  check(scope: string, key: string, value: string | null): void {
    for (const name of [scope, key]) {
      const bytes = Buffer.byteLength(name);
      if (bytes === 0 || bytes > SETTING_NAME_BYTES_MAX)
        throw new BrokerError(
          'argument-invalid',
          `a setting's scope and key have 1 to ${SETTING_NAME_BYTES_MAX} bytes`,
        );
    }
    if (value !== null && Buffer.byteLength(value) > SETTING_VALUE_BYTES_MAX)
      throw new BrokerError('argument-invalid', `a setting has at most ${SETTING_VALUE_BYTES_MAX} bytes`);
    if (value !== null && this.count >= SETTINGS_MAX && this.get(scope, key) === null)
      throw new BrokerError('limit-exceeded', `there are ${SETTINGS_MAX} settings already`);
  }

  /** Null removes it. */
  put(scope: string, key: string, value: string | null): void {
    let keys = this.scopes.get(scope);
    if (value === null) {
      if (keys?.delete(key)) this.count--;
      if (keys?.size === 0) this.scopes.delete(scope);
      return;
    }
    if (keys === undefined) this.scopes.set(scope, (keys = new Map()));
    if (!keys.has(key)) this.count++;
    keys.set(key, value);
  }

  *events(): Generator<StateEvent> {
    for (const [scope, keys] of this.scopes) for (const [key, value] of keys) yield { k: 'setting', scope, key, value };
  }
}
