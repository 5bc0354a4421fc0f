// Settings of the RocketMQ broker: from the configuration, and over it those that were changed while running (25), which
// the core keeps.
//
// Invariant: every one that is read here can be changed, and no other: a change of anything else is refused rather than
// remembered without effect.

import type { Principal } from '../../core/types.ts';
import type { Verbs } from '../../core/verbs.ts';
import { PERM } from '../../specs/rocketmq/constants.ts';
import { RESPONSE } from '../../specs/rocketmq/response-codes.ts';
import { RequestError } from './errors.ts';

/** Where the core keeps them. */
const SCOPE = 'rocketmq.broker';

type Kind = 'boolean' | 'number';
const KINDS = {
  autoCreateTopicEnable: 'boolean',
  autoCreateSubscriptionGroup: 'boolean',
  brokerPermission: 'number',
  dedupeWindowMs: 'number',
  useServerSideResetOffset: 'boolean',
} as const satisfies Record<string, Kind>;

type Name = keyof typeof KINDS;

const isName = (name: string): name is Name => Object.hasOwn(KINDS, name);

export class BrokerSettings {
  readonly #broker: Verbs;
  readonly #configured: Readonly<Record<Name, string>>;
  autoCreateTopics = true;
  autoCreateGroups = true;
  /** PERM bits of the whole broker. */
  permission: number = PERM.READ | PERM.WRITE;
  /** How long a unique key of a message is remembered; 0 not at all. */
  dedupeWindowMs = 0;
  /** Offsets are reset here (pulls then answer 21), not by telling the clients. */
  serverSideReset = true;
  /** Write permission was wiped by an operator (205). */
  writeWiped = false;

  /** `given` are the configuration's own, numbers among them. */
  constructor(broker: Verbs, given: Readonly<Record<string, string | number | boolean>>) {
    this.#broker = broker;
    this.#configured = {
      autoCreateTopicEnable: String(given['autoCreateTopics'] !== false),
      autoCreateSubscriptionGroup: String(given['autoCreateGroups'] !== false),
      brokerPermission: String(PERM.READ | PERM.WRITE),
      dedupeWindowMs: String(given['dedupeWindowMs'] ?? 0),
      useServerSideResetOffset: String(given['serverSideReset'] !== false),
    };
    this.#read();
  }

  /** What holds now, by the protocol's names. */
  values(): Record<string, string> {
    const values: Record<string, string> = { ...this.#configured };
    for (const [name, value] of this.#broker.settings(SCOPE)) if (isName(name)) values[name] = value;
    return values;
  }

  /** Changes some; all or none are accepted. */
  async change(principal: Principal, changes: ReadonlyMap<string, string>): Promise<void> {
    for (const [name, value] of changes) {
      if (!isName(name)) {
        throw new RequestError(
          RESPONSE.NO_PERMISSION,
          `${name} cannot be changed while the broker runs; these can: ${Object.keys(KINDS).join(', ')}`,
        );
      }
      const fits = KINDS[name] === 'boolean' ? /^(true|false)$/ : /^\d{1,12}$/;
      if (!fits.test(value)) {
        throw new RequestError(RESPONSE.INVALID_PARAMETER, `${name} takes a ${KINDS[name]}, not ${value}`);
      }
    }
    for (const [name, value] of changes) await this.#broker.putSetting(principal, SCOPE, name, value);
    this.#read();
  }

  async wipeWrite(principal: Principal, isWiped: boolean): Promise<void> {
    await this.#broker.putSetting(principal, SCOPE, 'writeWiped', isWiped ? 'true' : null);
    this.#read();
  }

  #read(): void {
    const values = this.values();
    this.autoCreateTopics = values['autoCreateTopicEnable'] === 'true';
    this.autoCreateGroups = values['autoCreateSubscriptionGroup'] === 'true';
    this.permission = Number(values['brokerPermission']);
    this.dedupeWindowMs = Number(values['dedupeWindowMs']);
    this.serverSideReset = values['useServerSideResetOffset'] === 'true';
    this.writeWiped = this.#broker.setting(SCOPE, 'writeWiped') === 'true';
  }
}

/** A text of `name=value` lines, as configuration travels. */
export function parseLines(text: string): Map<string, string> {
  const lines = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const at = line.indexOf('=');
    if (at > 0 && !line.startsWith('#')) lines.set(line.slice(0, at).trim(), line.slice(at + 1).trim());
  }
  return lines;
}

export function printLines(values: Readonly<Record<string, string | number | boolean>>): Buffer {
  return Buffer.from(
    Object.entries(values)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
}
