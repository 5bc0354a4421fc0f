// The settings as options of a command: one flag each, grouped as in the schema, so that --help is the full list.
import type { Command } from 'commander';
import { Option } from 'commander';
import { type LoadedConfig, loadConfig } from '../config/load.ts';
import { type Setting, settingSections, settings } from '../config/settings.ts';

const PRECEDENCE = `
Each setting may also be an environment variable (--kafka-port is ROSETTAMQ_KAFKA_PORT) or a key of the YAML file
(kafka: { port: 9092 }). A flag wins over the environment, the environment over the file, the file over the default.`;

/** `isWanted` leaves out settings that the command does not use. */
export function addSettingOptions(command: Command, isWanted: (setting: Setting) => boolean = () => true): Command {
  command.optionsGroup('Options:');
  command.option('--config <file>', 'configuration file (else ROSETTAMQ_CONFIG, else ./rosettamq.yaml if it exists)');
  for (const setting of settings) {
    if (setting.flag === null || !isWanted(setting)) continue;
    command.addOption(optionOf(setting).helpGroup(groupOf(setting)));
  }
  return command.addHelpText('after', PRECEDENCE);
}

/** The configuration of a command that has the options. */
export function configOf(command: Command): LoadedConfig {
  const options = command.opts<Record<string, string | true | undefined>>();
  const flags = new Map<string, string>();
  for (const setting of settings) {
    if (setting.flag === null) continue;
    const value = options[attributeOf(setting)];
    if (value !== undefined) flags.set(setting.key, value === true ? 'true' : value);
  }
  const file = options['config'];
  return loadConfig({
    flags,
    env: process.env,
    cwd: process.cwd(),
    file: typeof file === 'string' ? file : undefined,
  });
}

function attributeOf(setting: Setting): string {
  return optionOf(setting).attributeName();
}

function optionOf(setting: Setting): Option {
  const { flag, type, choices, defaultValue, description } = setting;
  const place =
    type === 'boolean' ? '[true|false]' : choices !== null ? `<${choices.join('|')}>` : `<${placeholder(setting)}>`;
  const shown = defaultValue === null ? '' : ` (default: ${defaultValue})`;
  return new Option(`${flag} ${place}`, `${description}${shown}`);
}

function placeholder({ key, type }: Setting): string {
  if (type === 'string') return key.endsWith('File') ? 'file' : key.endsWith('Dir') ? 'directory' : 'text';
  if (key.endsWith('Ms')) return 'ms';
  return /Bytes(Max)?$/.test(key) ? 'bytes' : 'number';
}

function groupOf(setting: Setting): string {
  const sectionKey = setting.path.slice(0, -1).join('.');
  const section = settingSections.find(({ key }) => key === sectionKey);
  return section === undefined ? 'General:' : `${section.key}: ${section.description}`;
}
