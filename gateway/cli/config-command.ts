// rosettamq config print: each value and where it came from.
import type { Command } from 'commander';
import { originText } from '../config/config.ts';
import type { LoadedConfig } from '../config/load.ts';
import { type Setting, type SettingValue, settings } from '../config/settings.ts';
import { isJson, printJson } from './print.ts';
import { addSettingOptions, configOf } from './setting-options.ts';
import { table } from './table.ts';

const REDACTED = '********';

export function addConfigCommand(program: Command): void {
  const config = program.command('config').description('the configuration');
  const print = config
    .command('print')
    .description('print every setting with its value and where it came from (secrets redacted)')
    .option('--json', 'print JSON');
  addSettingOptions(print).action(() => {
    const loaded = configOf(print);
    const rows = settings.map((setting) => ({
      key: setting.key,
      value: shownValue(setting, loaded),
      origin: originText(loaded.origins.get(setting.key)!),
    }));
    if (isJson(print)) printJson(rows);
    else {
      const cells = rows.map(({ key, value, origin }) => [key, value === null ? null : String(value), origin]);
      process.stdout.write(table(['KEY', 'VALUE', 'FROM'], cells));
    }
  });
}

function shownValue(setting: Setting, { config }: LoadedConfig): SettingValue {
  let node: unknown = config;
  for (const name of setting.path) node = (node as Record<string, unknown>)[name];
  return setting.isSecret && node !== null ? REDACTED : (node as SettingValue);
}
