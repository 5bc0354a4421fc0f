// Where settings are given: the environment and the YAML file (flags come parsed from the command line). Each source
// yields its settings and its problems; nothing here validates values, and nothing here throws on bad input.
import fs from 'node:fs';
import { isAlias, isMap, isScalar, LineCounter, parseDocument, type YAMLMap } from 'yaml';
import type { Origin } from './config.ts';
import { parseText, type Setting, sectionKeys, settingByKey, settingByVariable, settings } from './settings.ts';
import { nearest } from './suggest.ts';

/** A setting as one source gives it. The value may still be of a wrong type. */
export interface Given {
  readonly setting: Setting;
  readonly value: unknown;
  readonly origin: Origin;
}

export interface SourceReading {
  readonly given: Given[];
  readonly problems: string[];
}

const PREFIX = 'ROSETTAMQ_';

/** Variables of the command line itself, read elsewhere. */
const OWN_VARIABLES: ReadonlySet<string> = new Set([
  'ROSETTAMQ_CONFIG',
  'ROSETTAMQ_URL',
  'ROSETTAMQ_USER',
  'ROSETTAMQ_PASSWORD',
]);

/**
 * Kubernetes puts variables for every service of the namespace into a container's environment. A service named
 * `rosettamq` gives ROSETTAMQ_SERVICE_HOST and ROSETTAMQ_PORT_9092_TCP_ADDR, and one named `rosettamq-kafka` even gives
 * ROSETTAMQ_KAFKA_PORT=tcp://10.0.0.7:9092. None of these is ours.
 */
function isServiceLink(name: string, value: string): boolean {
  if (/_SERVICE_(HOST|PORT)(_|$)/.test(name)) return true;
  if (/_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(name)) return true;
  return name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value);
}

/** Reads ROSETTAMQ_… variables. An empty variable counts as not set, as compose files leave many. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): SourceReading {
  const reading: SourceReading = { given: [], problems: [] };
  for (const [name, text] of Object.entries(env)) {
    if (text === undefined || text === '' || !name.startsWith(PREFIX) || OWN_VARIABLES.has(name)) continue;
    if (isServiceLink(name, text)) continue;
    const setting = settingByVariable.get(name);
    if (setting !== undefined) {
      reading.given.push({ setting, value: parseText(setting, text), origin: { kind: 'environment', name } });
      continue;
    }
    reading.problems.push(
      `unknown environment variable ${name}${didYouMean(name, [...settingByVariable.keys(), ...OWN_VARIABLES])}`,
    );
  }
  return reading;
}

/** A configuration file larger than this is some other file. */
const FILE_BYTES_MAX = 1024 * 1024;

/** Reads one YAML file. `name` is how messages call it. */
export function readFile(path: string, name: string): SourceReading {
  let text: string;
  try {
    if (fs.statSync(path).size > FILE_BYTES_MAX) {
      return { given: [], problems: [`${name}: larger than ${FILE_BYTES_MAX} bytes, so not a configuration file`] };
    }
    text = fs.readFileSync(path, 'utf8');
  } catch (error) {
    return { given: [], problems: [`cannot read the configuration file ${name}: ${(error as Error).message}`] };
  }
  return readYaml(text, name);
}

export function readYaml(text: string, name: string): SourceReading {
  const reading: SourceReading = { given: [], problems: [] };
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    for (const error of document.errors) {
      reading.problems.push(`${name}:${lines.linePos(error.pos[0]).line}: not valid YAML: ${error.message}`);
    }
    return reading;
  }
  const line = (node: unknown): number => {
    const range = (node as { range?: readonly number[] | null } | null)?.range;
    return range?.[0] === undefined ? 1 : lines.linePos(range[0]).line;
  };

  const walk = (map: YAMLMap, path: readonly string[]): void => {
    for (const pair of map.items) {
      const word = isScalar(pair.key) ? String(pair.key.value) : '?';
      const key = [...path, word].join('.');
      const place = `${name}:${line(pair.key)}`;
      const setting = settingByKey.get(key);
      const node = isAlias(pair.value) ? pair.value.resolve(document) : pair.value;
      if (setting !== undefined) {
        // A list or map stands for itself: no setting takes one, so validation refuses it.
        const value = isScalar(node) ? node.value : (node ?? null);
        reading.given.push({ setting, value, origin: { kind: 'file', name, line: line(pair.key) } });
      } else if (!sectionKeys.has(key)) {
        reading.problems.push(
          `${place}: unknown key ${key}${didYouMean(key, [...settingByKey.keys(), ...sectionKeys])}`,
        );
      } else if (isMap(node)) {
        walk(node, [...path, word]);
      } else if (!isScalar(node) || node.value !== null) {
        const inside = settings.find((s) => s.key.startsWith(`${key}.`));
        reading.problems.push(`${place}: ${key} is a section of keys (such as ${inside?.key}), not a value`);
      }
    }
  };

  if (isMap(document.contents)) walk(document.contents, []);
  else if (document.contents !== null && !(isScalar(document.contents) && document.contents.value === null)) {
    reading.problems.push(`${name}:1: expected keys and values, such as "dataDir: ./data"`);
  }
  return reading;
}

function didYouMean(unknown: string, known: readonly string[]): string {
  const near = nearest(unknown, known);
  return near === null ? '; `rosettamq config print` lists all keys' : `; did you mean ${near}?`;
}
