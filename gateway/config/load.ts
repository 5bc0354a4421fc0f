// Loads the configuration: default < file < environment < flag, each value with its origin, validated by ajv against
// specs/config/config.schema.json. Invariant: either every key has a valid value, or a ConfigError names every problem
// found, each with the place to mend it.
import fs from 'node:fs';
import path from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { type Config, type ListenerConfig, type Origin, originText } from './config.ts';
import {
  configSchema,
  expectation,
  parseText,
  type Setting,
  type SettingValue,
  settingByKey,
  settings,
} from './settings.ts';
import { type Given, readEnvironment, readFile } from './sources.ts';

/** Every problem of a configuration at once; the message is for the user as it is. */
export class ConfigError extends Error {
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`the configuration is not valid:\n${problems.map((p) => `  - ${p}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

export interface ConfigSources {
  /** Texts of flags by setting key. */
  readonly flags: ReadonlyMap<string, string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Value of --config; without it ROSETTAMQ_CONFIG, else rosettamq.yaml in the working directory if it exists. */
  readonly file: string | undefined;
}

export interface LoadedConfig {
  readonly config: Config;
  readonly origins: ReadonlyMap<string, Origin>;
  /** The file that was read, or null. */
  readonly file: string | null;
}

const DEFAULT_FILE = 'rosettamq.yaml';
const validate = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true }).compile(configSchema);

export function loadConfig(sources: ConfigSources): LoadedConfig {
  const file = configFile(sources);
  const problems: string[] = [];
  const values = new Map<string, Given>();
  for (const setting of settings) {
    values.set(setting.key, { setting, value: setting.defaultValue, origin: { kind: 'default' } });
  }
  const readings = [
    ...(file === null ? [] : [readFile(path.resolve(sources.cwd, file), file)]),
    readEnvironment(sources.env),
    { given: [...sources.flags].map(givenByFlag), problems: [] },
  ];
  for (const reading of readings) {
    problems.push(...reading.problems);
    for (const given of reading.given) values.set(given.setting.key, given);
  }

  const config = nest(values);
  if (!validate(config)) {
    const wrong = new Set((validate.errors ?? []).map((error) => error.instancePath.slice(1).replaceAll('/', '.')));
    for (const key of wrong) problems.push(wrongValue(values, key));
  }
  if (problems.length === 0) problems.push(...contradictions(config, values));
  if (problems.length > 0) throw new ConfigError(problems);
  return { config, origins: new Map([...values].map(([key, given]) => [key, given.origin])), file };
}

function configFile(sources: ConfigSources): string | null {
  if (sources.file !== undefined) return sources.file;
  const named = sources.env['ROSETTAMQ_CONFIG'];
  if (named !== undefined && named !== '') return named;
  return fs.existsSync(path.join(sources.cwd, DEFAULT_FILE)) ? DEFAULT_FILE : null;
}

function givenByFlag([key, text]: [string, string]): Given {
  const setting = settingByKey.get(key);
  if (setting === undefined) throw new Error(`no setting ${key}`);
  return { setting, value: parseFlag(setting, text), origin: { kind: 'flag', name: setting.flag ?? key } };
}

function parseFlag(setting: Setting, text: string): SettingValue {
  // A flag without a value is how a boolean is switched on.
  return text === '' && setting.type === 'boolean' ? true : parseText(setting, text);
}

function nest(values: ReadonlyMap<string, Given>): Config {
  const root: Record<string, unknown> = {};
  for (const { setting, value } of values.values()) {
    let node = root;
    for (const name of setting.path.slice(0, -1)) node = (node[name] ??= {}) as Record<string, unknown>;
    node[setting.path.at(-1)!] = value;
  }
  // Validation follows before anybody sees it.
  return root as unknown as Config;
}

function wrongValue(values: ReadonlyMap<string, Given>, key: string): string {
  const given = values.get(key);
  if (given === undefined) return `${key}: not valid`;
  const isPlain = typeof given.value !== 'object' || given.value === null;
  const shown = given.setting.isSecret ? 'the value' : isPlain ? JSON.stringify(given.value) : 'a list or section';
  return `${key}: ${shown} (${originText(given.origin)}) is not ${expectation(given.setting)}`;
}

/** The sockets by the prefix of their keys, as messages name them. */
export function listenerConfigs(config: Config): readonly (readonly [string, ListenerConfig])[] {
  return [
    ['rocketmq.nameserver', config.rocketmq.nameserver],
    ['rocketmq.broker', config.rocketmq.broker],
    ['rocketmq.fast', config.rocketmq.fast],
    ['kafka', config.kafka],
    ['amqp', config.amqp],
    ['http', config.http],
  ];
}

/** What no single key shows: TLS without a certificate, one port for two protocols, a wildcard told to clients. */
function contradictions(config: Config, values: ReadonlyMap<string, Given>): string[] {
  const problems: string[] = [];
  const origin = (key: string): string => originText(values.get(key)!.origin);
  const { segmentBytes, reserveBytes } = config.store;
  if (reserveBytes * 4 > segmentBytes && values.get('store.reserveBytes')!.origin.kind !== 'default') {
    // The reserve lies in segments written ahead, beside what they take meanwhile; the default gives way by itself.
    problems.push(
      `store.reserveBytes: ${reserveBytes} (${origin('store.reserveBytes')}) is more than a quarter of store.segmentBytes, ${segmentBytes} (${origin('store.segmentBytes')})`,
    );
  }
  const portOwners = new Map<number, string>();
  for (const [prefix, listener] of listenerConfigs(config)) {
    if (!listener.enabled) continue;
    if (listener.tls !== 'off' && (config.tls.certFile === null || config.tls.keyFile === null)) {
      const missing = config.tls.certFile === null ? 'tls.certFile' : 'tls.keyFile';
      problems.push(`${prefix}.tls: "${listener.tls}" (${origin(`${prefix}.tls`)}) needs ${missing}, which is not set`);
    }
    const owner = portOwners.get(listener.port);
    if (owner !== undefined && listener.port !== 0) {
      problems.push(
        `${prefix}.port: ${listener.port} (${origin(`${prefix}.port`)}) is also ${owner}.port (${origin(`${owner}.port`)})`,
      );
    }
    portOwners.set(listener.port, prefix);
    const advertisedHost = values.get(`${prefix}.advertisedHost`)?.value;
    if (typeof advertisedHost === 'string' && ['0.0.0.0', '::', '*'].includes(advertisedHost)) {
      problems.push(
        `${prefix}.advertisedHost: "${advertisedHost}" (${origin(`${prefix}.advertisedHost`)}) is no address that a client can connect to`,
      );
    }
  }
  return problems;
}
