// The settings: the leaves of specs/config/config.schema.json as a flat list. The flag, the environment variable and
// the YAML key of a setting all follow from its path, so that no name can drift from another:
//   kafka.port  ↔  --kafka-port  ↔  ROSETTAMQ_KAFKA_PORT
import schema from '../../specs/config/config.schema.json' with { type: 'json' };

export type SettingValue = string | number | boolean | null;
type SettingType = 'string' | 'integer' | 'boolean';

export interface Setting {
  /** Dotted path, as in the YAML file and in messages. */
  readonly key: string;
  readonly path: readonly string[];
  /** Long flag, or null for a secret: arguments are visible to every user of the machine. */
  readonly flag: string | null;
  readonly variable: string;
  readonly type: SettingType;
  readonly isNullable: boolean;
  readonly isSecret: boolean;
  readonly choices: readonly string[] | null;
  readonly minimum: number | null;
  readonly maximum: number | null;
  readonly defaultValue: SettingValue;
  readonly description: string;
}

export interface SettingSection {
  readonly key: string;
  readonly description: string;
}

/** The part of JSON Schema that the file uses. */
interface SchemaNode {
  readonly type: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly writeOnly?: boolean;
}

export const configSchema: object = schema;

const sections: SettingSection[] = [];
const leaves: Setting[] = [];
collect(schema as SchemaNode, []);

/** All settings in the order of the schema. */
export const settings: readonly Setting[] = leaves;
export const settingSections: readonly SettingSection[] = sections;
export const settingByKey: ReadonlyMap<string, Setting> = new Map(leaves.map((s) => [s.key, s]));
export const settingByVariable: ReadonlyMap<string, Setting> = new Map(leaves.map((s) => [s.variable, s]));
export const sectionKeys: ReadonlySet<string> = new Set(sections.map((s) => s.key));

function collect(node: SchemaNode, path: readonly string[]): void {
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    const childPath = [...path, name];
    if (child.properties === undefined) {
      leaves.push(leafOf(child, childPath));
      continue;
    }
    sections.push({ key: childPath.join('.'), description: child.description ?? '' });
    collect(child, childPath);
  }
}

function leafOf(node: SchemaNode, path: readonly string[]): Setting {
  const types = typeof node.type === 'string' ? [node.type] : node.type;
  const words = path.flatMap((name) => name.split(/(?=[A-Z])/)).map((word) => word.toLowerCase());
  const isSecret = node.writeOnly === true;
  return {
    key: path.join('.'),
    path,
    flag: isSecret ? null : `--${words.join('-')}`,
    variable: `ROSETTAMQ_${words.join('_').toUpperCase()}`,
    type: types[0] as SettingType,
    isNullable: types.includes('null'),
    isSecret,
    choices: node.enum ?? null,
    minimum: node.minimum ?? null,
    maximum: node.maximum ?? null,
    defaultValue: node.default as SettingValue,
    description: node.description ?? '',
  };
}

/** What a setting accepts, for messages: "a whole number from 0 to 65535". */
export function expectation(setting: Setting): string {
  if (setting.choices !== null) return `one of ${setting.choices.join(', ')}`;
  if (setting.type === 'boolean') return 'true or false';
  if (setting.type === 'string') return setting.isNullable ? 'text, not empty, or null' : 'text, not empty';
  const range =
    setting.minimum !== null && setting.maximum !== null ? ` from ${setting.minimum} to ${setting.maximum}` : '';
  return `a whole number${range}${setting.isNullable ? ', or null' : ''}`;
}

/**
 * The value that a flag's or a variable's text stands for. Text that does not fit the type is returned as it is, so
 * that validation can show it.
 */
export function parseText(setting: Setting, text: string): SettingValue {
  if (setting.isNullable && (text === 'null' || text === '')) return null;
  if (setting.type === 'integer' && /^-?\d{1,15}$/.test(text)) return Number(text);
  if (setting.type === 'boolean' && (text === 'true' || text === '1')) return true;
  if (setting.type === 'boolean' && (text === 'false' || text === '0')) return false;
  return text;
}
