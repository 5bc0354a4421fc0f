// rosettamq inspect: prints a data directory readably, without taking its lock: it may be in use, or be a copy.
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import type { Disk } from '../../core/log/disk.ts';
import { FileDisk } from '../system/file-disk.ts';
import { CliError } from './cli-error.ts';
import { addSettingOptions, configOf } from './setting-options.ts';

type Inspect = (disk: Disk) => Iterable<string>;

export function addInspectCommand(program: Command): void {
  const inspect = program
    .command('inspect')
    .description('print a data directory: segments, entries, index, manifest')
    .argument('[directory]', 'data directory (default: the configured one)');
  addSettingOptions(inspect, (setting) => setting.key === 'dataDir').action(async (directory?: string) => {
    const root = path.resolve(directory ?? configOf(inspect).config.dataDir);
    if (!fs.existsSync(root))
      throw new CliError(`there is no directory ${root}; name one: rosettamq inspect DIRECTORY`);
    const name = '../../core/log/inspect.ts';
    const module = (await import(name)) as { inspect: Inspect };
    for (const line of module.inspect(new FileDisk(root))) {
      if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain');
    }
  });
}
